--- What a page reaches outside its state: main, and the end of its process or thread.
local import = ...
local Emitter = import "common.emitter"
local boot = import "renderer.boot"
local core_child = import "core.child"
local core_state = import "core.state"
local process = import "common.process"

local peer = boot.peer

local EXIT_FLUSH_MS <const> = 1000

-- How long a page that prints more than main reads waits for it, a line.
local PRINT_WAIT_MS <const> = 1000

-- Exit codes by which the runtime itself says how a renderer ended: main is told when they are not.
local OWN_CODES <const> = { [core_child.OUT_OF_MEMORY] = true, [core_child.LAUNCH_FAILED] = true }

-- What the system makes of the first argument of os.exit.
local function exit_code(code)
  return (math.tointeger(tonumber(code)) or 0) & 0xff
end

-- That of the process: a page's is below.
local raw_exit = os.exit

-- Ends the renderer where it stands.
local function leave(code, ...)
  if not boot.is_on_thread then raw_exit(code, ...) end
  core_state.leave(code == false and 1 or math.tointeger(tonumber(code)) or 0)
end

---@type PageHost
return {
  console = function(level, text)
    local is_taken, why = peer:send_internal("console", level, text)
    if is_taken == nil then
      peer:send_internal("console", level, "(a line is not shown: " .. why .. ")")
    end
    if not is_taken then peer:drain(PRINT_WAIT_MS) end
  end,
  find_module = function(name)
    return peer:request_sync("find-module", name)
  end,
  memory = function()
    local is_known, bytes = pcall(peer.request_sync, peer, "memory")
    return is_known and bytes or nil -- at the end there is no main to ask
  end,
  close = function()
    peer:send_internal "close-window"
  end,
  alert = function(text)
    peer:send_internal("console", "info", "[alert] " .. text)
  end,
  exit = function(...)
    Emitter.fire(process.emitter, "exit", process.exit_code)
    if OWN_CODES[exit_code(...)] then peer:send_internal "leaving" end
    peer:drain(EXIT_FLUSH_MS)
    leave(...)
  end,
}
