--- One file, told by several workers, each of which has run a part of its tests (--split): what
--- they told becomes what one worker would have.
---
--- One worker's story is the base. Each skips the tests of the others, and says so: there, the
--- story of the worker that ran the test is put in, from the mark "test" to the mark "tested".
--- Everything else, of the bodies of blocks and their setups, each worker tells alike, and it is
--- told once; an error that only another worker met is put in where its next test is missing.
--- Elements cross with numbers of their worker's: they get the base's.
local import = ...
local Journal = import "test.journal"
local obituary = import "test.obituary"

local M = {}

local INTERRUPTED <const> = "interrupted"
local UNLIKE <const> = "%s: test %d, '%s', was not found in another worker: a file to be split "
  .. "must define the same tests in the same order each time"

---@class Part what one worker told
---@field host Host
---@field outside table[] entries of no test
---@field tests table<integer, {name: string, entries: table[]}> that it ran, by number
---@field death {text: string, piece: table}? of what it died
---@field is_whole boolean

-- The pieces of what was printed must be taken in the order in which that was.
local function take(host, entry)
  if entry and not entry.piece then entry.piece = host.capture:take(entry.out, entry.err) end
end

local function take_introduction(host)
  take(host, host.loaded)
  for _, entry in ipairs(host.before) do
    take(host, entry)
  end
end

local function read_death(part)
  local piece = part.host.capture:finish()
  part.death = { death = true, inside = true, piece = piece, text = obituary.describe(part.host) }
end

-- By mark: what an entry is to its part.
local MARKS <const> = {
  test = function(part, entry)
    if entry.is_ours then
      part.at = { name = entry.name, entries = {} }
      part.tests[entry.number] = part.at
    end
    table.insert(part.outside, entry)
  end,
  tested = function(part, entry)
    table.insert(part.at.entries, entry)
    part.at = nil
  end,
}

local function read_entry(part, entry)
  if entry.death then return read_death(part) end
  take(part.host, entry)
  if MARKS[entry.mark] then return MARKS[entry.mark](part, entry) end
  if entry.mark == "done" then part.is_whole = true end
  table.insert(part.at and part.at.entries or part.outside, entry)
end

local function read(journal)
  local part = { host = journal.host, outside = {}, tests = {}, is_whole = false }
  if not part.host then return part end
  take_introduction(part.host)
  journal:each(function(entry)
    read_entry(part, entry)
  end)
  return part
end

-- The first that has come to the file's end, else the one that has come farthest.
local function choose_base(parts)
  local base = parts[1]
  for _, part in ipairs(parts) do
    local is_farther = #part.outside > #base.outside
    if not base.is_whole and (part.is_whole or is_farther) then base = part end
  end
  return base
end

local function is_start_of(entry, kind)
  return entry.channel and entry.channel[1] == kind and entry.channel[2] == "start"
end

-- The numbers of the file and of its blocks, in the order in which they start.
local function list_blocks(part)
  local list = {}
  for _, entry in ipairs(part.outside) do
    local is_block = is_start_of(entry, "file") or is_start_of(entry, "describe")
    if is_block then list[#list + 1] = entry.element end
  end
  return list
end

local function count_elements(part)
  local highest = 0
  local function count(entries)
    for _, entry in ipairs(entries) do
      for _, definition in ipairs(entry.new or {}) do
        highest = math.max(highest, definition.id)
      end
    end
  end
  count(part.outside)
  for _, test in pairs(part.tests) do
    count(test.entries)
  end
  return highest
end

---@class Merge
---@field base Part
---@field count integer the highest number of an element so far
---@field output Journal
---@field told table<string, boolean> errors that were told

-- Blocks of a part get the base's numbers; all else that it defines gets new ones.
local function map_elements(merge, part)
  part.numbers = { [0] = 0 }
  local own, base = list_blocks(part), list_blocks(merge.base)
  for index, id in ipairs(own) do
    part.numbers[id] = base[index]
  end
end

-- Definitions that were told with entries that are left out stand with the next one that is not.
local function collect_definitions(merge, part, entry)
  for _, definition in ipairs(entry.new or {}) do
    if not part.numbers[definition.id] then
      merge.count = merge.count + 1
      part.numbers[definition.id] = merge.count
      definition.id, definition.parent = merge.count, part.numbers[definition.parent]
      table.insert(part.definitions, definition)
    end
  end
  entry.new = nil
end

local function is_outcome(entry)
  return entry.channel ~= nil and entry.times == nil
end

-- Whether the same error was told before.
local function is_told(merge, entry)
  if not is_outcome(entry) then return false end
  local key = table.concat(entry.channel, " ") .. "\0" .. tostring(entry.message)
  local is_known = merge.told[key]
  merge.told[key] = true
  return is_known
end

local LAZY <const> = { lazy_setup = true, lazy_teardown = true }

-- What each worker runs when it comes to a block's first test.
local function is_repeated(merge, entry)
  local was_told = is_told(merge, entry)
  return was_told and LAZY[entry.channel[2]]
end

local function put(merge, part, entry)
  collect_definitions(merge, part, entry)
  if is_repeated(merge, entry) then return end
  if entry.channel then
    entry.element, entry.parent = part.numbers[entry.element], part.numbers[entry.parent]
    entry.new, part.definitions = part.definitions, {}
  end
  merge.output:append(entry)
end

-- Errors outside of tests that the base did not meet.
local function put_errors(merge, part)
  for _, entry in ipairs(part.outside) do
    local is_new = is_outcome(entry) and not is_told(merge, entry)
    if is_new then put(merge, part, entry) end
  end
end

local function put_missing(merge, part, mark)
  if part.is_missed then return end
  part.is_missed = true
  put_errors(merge, part)
  local text = part.is_whole and UNLIKE:format(merge.name, mark.number, mark.name) or INTERRUPTED
  local death = part.death or { death = true, inside = true, text = text }
  death.piece = death.piece or { out = "", err = "" }
  merge.output:append(death)
end

-- In the place of a test that the base has skipped. A part that dies in it tells no more.
local function put_test(merge, mark)
  local part = merge.parts[(mark.number - 1) % #merge.parts + 1]
  local test = part.tests[mark.number]
  if not test or test.name ~= mark.name then return put_missing(merge, part, mark) end
  for _, entry in ipairs(test.entries) do
    put(merge, part, entry)
  end
  if part.at == test then put_missing(merge, part, mark) end
end

local function put_base(merge, entry)
  is_told(merge, entry)
  merge.output:append(entry) -- a mark too: with it comes what was printed before
  if entry.mark ~= "test" then return end
  if not entry.is_ours then return put_test(merge, entry) end
  for _, inner in ipairs(merge.base.tests[entry.number].entries) do
    if not is_repeated(merge, inner) then merge.output:append(inner) end
  end
end

local function prepare(merge)
  for _, part in ipairs(merge.parts) do
    part.definitions = {}
    if part ~= merge.base then
      map_elements(merge, part)
      for _, entry in ipairs(part.outside) do
        collect_definitions(merge, part, entry)
      end
    end
  end
end

-- Before the file's end: what of the others found no place before.
local function put_rest(merge)
  for _, part in ipairs(merge.parts) do
    if part ~= merge.base then put_errors(merge, part) end
    if part.death and not part.is_missed and part ~= merge.base then put_missing(merge, part) end
  end
end

local function is_end_of_file(entry)
  return entry.channel and entry.channel[1] == "file" and entry.channel[2] == "end"
end

local function write(merge)
  for _, entry in ipairs(merge.base.outside) do
    if is_end_of_file(entry) then put_rest(merge) end
    put_base(merge, entry)
  end
  local death = merge.base.death
  if not death then return end
  death.inside = nil
  merge.output:append(death)
end

local function merge_parts(name, journals, output)
  local parts = {}
  for index, journal in ipairs(journals) do
    parts[index] = read(journal)
  end
  local base = choose_base(parts)
  output.host = base.host
  local merge = { name = name, parts = parts, base = base, output = output, told = {} }
  merge.count = count_elements(base)
  if base.host then
    prepare(merge)
    write(merge)
  end
  output:complete()
end

--- Journals for the parts of a file. When all are complete, they are told in `output`, and that is.
---@param name string of the file
---@param output Journal
---@param count integer
---@return Journal[]
function M.journals(name, output, count)
  local journals, left = {}, count
  for index = 1, count do
    journals[index] = Journal.new(function()
      left = left - 1
      if left == 0 then merge_parts(name, journals, output) end
    end)
  end
  return journals
end

return M
