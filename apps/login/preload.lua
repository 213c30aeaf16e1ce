-- The one thing that the page can ask of main. ipcRenderer stays here: whoever has it can send
-- anything on every channel.
local lunette = require "lunette"
local contextBridge, ipcRenderer = lunette.contextBridge, lunette.ipcRenderer

contextBridge.exposeInMainWorld("electronClient", {
  invokeSubmitLogin = function(credentials)
    return ipcRenderer.invoke("submit-login", credentials)
  end,
})
