-- Waits for main's greeting, tells main what it does, and asks for data in two ways.
local ipcRenderer = require("lunette").ipcRenderer

local function show(way, data)
  print(("page: by %s: %s = %d"):format(way, data.key, data.value))
end

-- Two messages, one each way: with two questions under way nothing tells which answer is whose.
local function ask_with_send(on_answer)
  ipcRenderer.once("data", function(_, data)
    show("send and once", data)
    on_answer()
  end)
  ipcRenderer.send("loaddata", "colour")
end

-- One call: the answer belongs to the question, and so does an error.
local function ask_with_invoke()
  show("invoke", ipcRenderer.invoke("loaddata", "flavour"):await())
end

ipcRenderer.on("mainchannel", function(_, greeting)
  print(("page: main says '%s'"):format(greeting))
  ipcRenderer.send("action", "click")
  ask_with_send(function()
    ask_with_invoke()
    window.close()
  end)
end)
