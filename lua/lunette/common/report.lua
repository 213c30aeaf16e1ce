--- The funnel for what the runtime says, and for errors that nobody caught.
local import = ...
local lazy = import "core.lazy"

local M = {}

-- warn(text, level), describe(value) and trace(traceback).
lazy.fields(M, "describe trace warn", "common.describe")

-- on_uncaught(err, traceback) and on_unhandled(reason, promise, traceback): what to do with an
-- error that left a task, and with a rejection that nobody handled.
lazy.fields(M, "on_uncaught on_unhandled", "common.uncaught")

return M
