--- luv in a worker: as everywhere in Lunette, but specs that were written for plain luv run their
--- loop themselves. Here that awaits what they want of it, while the worker's loop runs.
local import = ...
local arguments = import "common.arguments"
local guard = import "test.worker.guard"
local uv = import "common.uv"

--- Awaits that the loop has nothing to wait for, or uv.stop(); one turn, for "once" and "nowait".
---@param mode "default"|"once"|"nowait"|nil
---@return boolean whether something is left to wait for
function uv.run(mode)
  arguments.check("uv.run", 1, mode, "string|nil")
  if mode == nil or mode == "default" then
    guard.await_loop_end()
  else
    guard.await_turn()
  end
  return uv.loop_alive()
end

--- Ends the innermost uv.run().
function uv.stop()
  guard.end_loop_wait()
end

return uv
