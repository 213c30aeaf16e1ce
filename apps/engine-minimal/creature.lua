-- A creature's script, in a renderer of its own: it asks the engine to be moved.
local ipcRenderer = require("lunette").ipcRenderer

for _, step in ipairs { 5, -2, 4 } do
  print("moved to " .. ipcRenderer.invoke("move", step):await())
end
