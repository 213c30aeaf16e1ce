-- A ball's script, in a process of its own: it flies straight on, and turns at the edges.
local ipcRenderer = require("lunette").ipcRenderer

local EDGE <const>, SPEED <const> = 20, 150
local width, height = ipcRenderer.invoke("field"):await()
local angle = math.random() * 2 * math.pi
local vx, vy = SPEED * math.cos(angle), SPEED * math.sin(angle)

-- The speed, away from an edge that is near.
local function turned(speed, place, size)
  if place < EDGE then return math.abs(speed) end
  return place > size - EDGE and -math.abs(speed) or speed
end

ipcRenderer.on("at", function(_, x, y)
  vx, vy = turned(vx, x, width), turned(vy, y, height)
  ipcRenderer.send("go", vx, vy)
end)
