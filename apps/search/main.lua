-- Full-text search: finds the files of a folder that have some words, the best ones first.
--
-- Main reads the files and renderers, one for each core, look through them; see search.lua.
local lunette = require "lunette"
local app, process, uv = lunette.app, lunette.process, lunette.uv
local Search = require "search"
local options_of = require "options"
local rank = require "rank"
local report = require "report"

local WRONG_COMMAND_LINE <const> = 2

local function refuse(message)
  io.stderr:write("search: ", message, "\n")
  app.exit(WRONG_COMMAND_LINE)
end

-- libuv's texts read "ENOENT: no such file or directory: FOLDER".
local function why_not(folder)
  local entries, err = uv.fs_scandir(folder)
  if entries then return nil end
  return ("cannot search '%s': %s"):format(folder, err:match ": ([^:]*)" or err)
end

local function run(options)
  local start = process.hrtime()
  local search = Search.new(options)
  local stop_following = report.follow(search.counts)
  app.once("before-quit", stop_following) -- Ctrl-C
  local ok, err = pcall(search.run, search)
  stop_following()
  if not ok then error(err, 0) end
  rank.sort(search.hits, options.words, search.counts)
  report.print(search, (process.hrtime() - start) / 1e9)
end

local parsed, options = pcall(options_of.parse, { ... })
if not parsed then return refuse(options .. "; --help tells more") end
if options.help then return io.write(options_of.USAGE) end

local err = why_not(options.folder)
if err then return refuse(err) end

app.whenReady():await()
local ok, failure = pcall(run, options)
if not ok then io.stderr:write("search: ", tostring(failure), "\n") end
app.exit(ok and 0 or 1)
