--- Boot of a worker of `lunette test`: a process that has busted loaded, is told over its link
--- which spec files to run, runs them and ends.
local import = ...
local Peer = import "common.peer"
local busted_modules = import "test.busted_modules"
local coroutines = import "common.coroutines"
local lazy = import "core.lazy"
local loop = import "core.loop"
local own_require = import "common.require"
local process = import "common.process"
local session = import "test.worker.session"

local M = {}

-- The owner of the peer.
local worker = { _routes = { handlers = {}, listeners = {} } }
local peer = Peer.new("peer", worker, "the controller")

--- All that can be done before it is known which files to run: it is done once, and each worker is
--- a copy. The arguments are those of busted's command line.
---@param ... string
function M.prepare(...)
  coroutines.install()
  own_require.install(_G)
  import "common.public"
  lazy.load_all() -- the workers share it
  assert(busted_modules.load())
  session.prepare { ... }
end

-- The controller wants nothing more, or is gone.
function worker:_on_gone(fault)
  peer:close(fault or "the controller has gone")
  loop.stop()
end

function worker:_on_boot(options)
  process.setup({ type = "utility", sandboxed = false, argv = options.argv }, true)
end

worker._internal = {
  run = function(_, options)
    session.run(peer, options)
  end,
}

--- Connects to the controller.
---@param link_fd integer
function M.start(link_fd)
  peer:greet(link_fd)
end

--- Nothing is left that the loop could wait for.
function M.idle()
  session.on_idle()
end

return M
