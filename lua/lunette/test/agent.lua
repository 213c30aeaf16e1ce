--- In an app that a spec has launched: does what the spec asks of it, over a link of its own.
---
--- Whoever started the process has put the link's descriptor into the environment.
local import = ...
local Peer = import "common.peer"
local core_os = import "core.os"
local promises = import "common.promise"

local VARIABLE <const> = "LUNETTE_TEST_LINK"

local M = {}

local agent = { _routes = { handlers = {}, listeners = {} } }
local peer

-- The spec's worker has ended, or lets the app go.
function agent:_on_gone(fault)
  peer:close(fault or "the spec has gone")
end

function agent:_on_boot() end

local function await_first(...)
  local first = ...
  if promises.is(first) then return first:await() end
  return ...
end

local function window_of(id)
  local window = import("main.browser_window").fromId(id)
  return window or error(("no window with id %d"):format(id), 0)
end

local function describe_window(window)
  local contents = window.webContents
  return {
    id = window.id,
    title = window:getTitle(),
    url = contents:getURL(),
    visible = window:isVisible(),
    loading = contents:isLoading(),
    pid = contents:getOSProcessId(),
  }
end

local CROSSING <const> =
  { ["nil"] = true, boolean = true, number = true, string = true, table = true }

-- What of an event's arguments can cross: of an object its name does.
local function portable(...)
  local list = table.pack(...)
  for index = 1, list.n do
    local value = list[index]
    local is_plain = CROSSING[type(value)] and (type(value) ~= "table" or not getmetatable(value))
    if not is_plain then list[index] = tostring(value) end
  end
  return table.unpack(list, 1, list.n)
end

-- Calls fn(event, ...) for the next event of the app; or, with an id, of that window or its web
-- contents.
local function listen_once(id, name, fn)
  if not id then return import("main.app").once(name, fn) end
  local window = window_of(id)
  window:once(name, fn)
  window.webContents:once(name, fn)
end

agent._internal = {
  evaluate = function(_, code, ...)
    local chunk, err = load(code, "=(evaluate)", "t")
    if not chunk then error(err, 0) end
    return await_first(chunk(...))
  end,
  ["evaluate-window"] = function(_, id, code)
    return window_of(id).webContents:executeLua(code):await()
  end,
  windows = function()
    local list = {}
    for index, window in ipairs(import("main.browser_window").getAllWindows()) do
      list[index] = describe_window(window)
    end
    return list
  end,
  ["wait-event"] = function(_, id, name)
    local promise = promises.pending()
    listen_once(id, name, function(_, ...)
      promises.fulfil(promise, portable(...))
    end)
    return promise:await()
  end,
  quit = function()
    import("main.lifecycle").quit()
  end,
}

--- Connects to the spec that has launched the app, if one has. The app ends as it would without it.
function M.start()
  local fd = math.tointeger(tonumber(core_os.getenv(VARIABLE)))
  if not fd then return end
  core_os.setenv(VARIABLE, nil)
  peer = Peer.new("peer", agent, "the spec")
  peer:greet(fd)
  peer:ref(false)
end

return M
