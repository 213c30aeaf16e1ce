--- The spec files of this run: those that busted finds, or a shard of them.
local import = ...
local busted_modules = import "test.busted_modules"
local shard = import "test.shard"
local times = import "test.times"

local M = {}

-- busted's errors of what it does not find are told when the files are loaded: not here too.
local function find_quietly(core, list_files, ...)
  local publish = core.publish
  function core.publish() end
  local files = list_files(...)
  core.publish = publish
  return files
end

-- What loading publishes, errors of files that do not compile, comes behind what the helper prints:
-- it is kept until a worker has loaded that.
local function keep_errors(run, core, load)
  local publish = core.publish
  function core.publish(channel, ...)
    if channel[1] ~= "error" then return publish(channel, ...) end
    table.insert(run.load_errors, table.pack(channel, ...))
  end
  load()
  core.publish = publish
end

--- Publishes what was kept.
---@param run table
---@param core table busted's core
function M.tell_errors(run, core)
  for _, arguments in ipairs(run.load_errors) do
    if run.recording then run.recording:load_error(arguments) end
    core.publish(table.unpack(arguments, 1, arguments.n))
  end
  run.load_errors = {}
end

local function missing(roots)
  local path, list = require "pl.path", {}
  for _, root in ipairs(roots) do
    if not path.exists(root) then list[#list + 1] = root end
  end
  return list
end

-- What to load instead of the roots: this shard's files; and, for one shard to complain of, the
-- roots that are not there.
local function pick(settings, files, roots)
  local name = settings["shard-times"]
  local known = name and times.read(name)
  if name and not known then busted_modules.fail(name .. ": no such file of times") end
  local picked = shard.pick(files, settings.shard, known)
  if settings.shard.index > 1 then return picked end
  local lost = missing(roots)
  return table.move(picked, 1, #picked, #lost + 1, lost)
end

local function note_empty(settings)
  local text = "lunette test: shard %d/%d has no spec files\n"
  io.stderr:write(text:format(settings.shard.index, settings.shard.count))
end

--- The function that finds and loads the files, in the place of busted's `load_files`.
---@param run table
---@param core table busted's core
---@param load_files function busted's
---@param list_files function busted's: only finds them
---@return function
function M.file_loader(run, core, load_files, list_files)
  return function(roots, patterns, options)
    local settings = run.settings
    local files = find_quietly(core, list_files, roots, patterns, options)
    local chosen = settings.shard and #files > 0 and pick(settings, files, roots) or roots
    if run.recording then run.recording:begin(files, settings, core.randomseed) end
    if #chosen == 0 then return note_empty(settings) end
    local function load()
      load_files(chosen, patterns, options)
    end
    keep_errors(run, core, load)
  end
end

--- The same for a playback.
---@param run table
---@param core table busted's core
---@return function
function M.playback_loader(run, core)
  return function()
    keep_errors(run, core, function()
      run.playback:load(core)
    end)
  end
end

return M
