local app = require "spec.support.app"

describe("ipcMain", function()
  it("answers an invoke with what the handler returns", function()
    local result = app.run {
      ["main.lua"] = [[
        local lunette = require "lunette"
        lunette.ipcMain.handle("add", function(_, a, b) return a + b end)
        lunette.ipcMain.on("done", function(_, sum)
          print(sum, math.type(sum))
          lunette.app.quit()
        end)
        lunette.app.whenReady():await()
        lunette.BrowserWindow.new():loadFile("page.lua")
      ]],
      ["page.lua"] = [[
        local ipc = require("lunette").ipcRenderer
        ipc.send("done", ipc.invoke("add", 1, 2):await())
      ]],
    }
    assert.equal("3\tinteger\n", result.stdout)
    assert.equal(0, result.status)
  end)
end)
