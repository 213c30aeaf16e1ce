-- A promise for the next message on a channel: what to await after asking for it with `send`.
local lunette = require "lunette"
local ipcRenderer, Promise = lunette.ipcRenderer, lunette.Promise

return function(channel)
  return Promise.new(function(resolve)
    ipcRenderer.once(channel, function(_, ...)
      resolve(...)
    end)
  end)
end
