-- What the user sees: a bar while the search runs, then the best files and what was done.
local lunette = require "lunette"
local terminal = require "terminal"
local words_of = require "words"

local M = {}

local BAR <const> = 30
local DRAWN_EVERY_MS <const> = 50

-- What the counts of what was passed over are called: for one, and for several if that differs.
local PASSED_OVER <const> = {
  { "binary", "binary" },
  { "unreadable", "unreadable" },
  { "huge", "over 16 MiB" },
  { "lost", "fatal to renderers" },
  { "link", "link", "links" },
  { "skipped", "build or version control folder", "build or version control folders" },
}

local function with_commas(number)
  local digits = tostring(number):reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (digits:gsub("^,", ""))
end

local function size(bytes)
  if bytes < 1000 then return ("%d bytes"):format(bytes) end
  for _, unit in ipairs { "kB", "MB" } do
    bytes = bytes / 1000
    if bytes < 1000 then return ("%.1f %s"):format(bytes, unit) end
  end
  return ("%.1f GB"):format(bytes / 1000)
end

local function number_of(count, thing)
  return ("%s %s%s"):format(with_commas(count), thing, count == 1 and "" or "s")
end

local function draw_bar(counts)
  local filled = BAR * counts.done // math.max(counts.found, 1)
  local bar = ("#"):rep(filled) .. terminal.style("dim", ("."):rep(BAR - filled))
  local files = ("%s of %s"):format(with_commas(counts.done), number_of(counts.found, "file"))
  io.write(("\r[%s] %s, %s\27[K"):format(bar, files, size(counts.bytes))):flush()
end

-- Shows a bar that follows the counts, on a terminal. Returns what takes it away.
function M.follow(counts)
  if not terminal.is_terminal then return function() end end
  local timer = lunette.setInterval(draw_bar, DRAWN_EVERY_MS, counts)
  return function()
    lunette.clearInterval(timer)
    io.write "\r\27[K"
  end
end

-- Where a text has one of the words, first and last byte, whichever comes first.
local function next_hit(folded, words, init)
  local first, last
  for _, word in ipairs(words) do
    local from, to = words_of.find(folded, word, init)
    if from and (not first or from < first) then
      first, last = from, to
    end
  end
  return first, last
end

-- A printable text of at most that many characters, which has the first hit in it.
local function fit(text, words, columns)
  local first, last = next_hit(words_of.fold(text), words, 1)
  if last and utf8.len(text, 1, last) > columns - 3 then
    text = terminal.cut_left(text, utf8.len(text, first) + columns // 3)
  end
  return terminal.cut(text, columns)
end

-- The text with every hit in the style of hits.
local function mark(text, words)
  local folded, parts, at = words_of.fold(text), {}, 1
  local first, last = next_hit(folded, words, 1)
  while first do
    parts[#parts + 1] = text:sub(at, first - 1) .. terminal.style("hit", text:sub(first, last))
    at = last + 1
    first, last = next_hit(folded, words, at)
  end
  return table.concat(parts) .. text:sub(at)
end

local function others(hit)
  if hit.lines == 1 then return "" end
  return (" (%s)"):format(number_of(hit.lines - 1, "more line"))
end

-- The columns of the table: no limit in a pipe, and on a terminal half of it for the places.
local function layout(hits)
  local columns = terminal.is_terminal and terminal.columns() or math.huge
  local place = 0
  for _, hit in ipairs(hits) do
    hit.path = terminal.printable(hit.path)
    place = math.max(place, utf8.len(hit.path) + 1 + #tostring(hit.line))
  end
  return { all = columns, place = math.min(place, columns // 2), rank = #tostring(#hits) }
end

local function print_hit(rank, hit, words, columns)
  local line = tostring(hit.line)
  local path = terminal.cut_left(hit.path, columns.place - #line - 1)
  local padding = (" "):rep(columns.place - utf8.len(path) - #line - 1)
  local place = terminal.style("path", path) .. ":" .. terminal.style("number", line) .. padding
  local left = columns.all - columns.rank - 2 - columns.place - 2 - #others(hit)
  local text = mark(fit(terminal.printable(hit.text), words, left), words)
  local number = ("%" .. columns.rank .. "d"):format(rank)
  print(("%s  %s  %s%s"):format(number, place, text, terminal.style("dim", others(hit))))
end

local function print_shown(shown, all, words)
  if all == 0 then
    print(("no file has %s"):format(table.concat(words, " or ")))
  elseif shown < all then
    local files = number_of(all, "file")
    print(("\nthe best %s of %s with hits (--limit shows more)"):format(shown, files))
  else
    print(("\n%s with hits"):format(number_of(all, "file")))
  end
end

local function print_passed_over(counts)
  local parts = {}
  for _, entry in ipairs(PASSED_OVER) do
    local kind, one, several = table.unpack(entry)
    local count = counts[kind]
    local name = count == 1 and one or several or one
    if count > 0 then parts[#parts + 1] = with_commas(count) .. " " .. name end
  end
  if #parts > 0 then print("passed over: " .. table.concat(parts, ", ")) end
end

local function print_restarts(counts)
  if counts.restarts == 0 then return end
  local renderers = number_of(counts.restarts, "renderer")
  local files = number_of(counts.handed_again, "file")
  print(("%s lost and restarted, %s handed out again"):format(renderers, files))
end

local function print_work(search, seconds)
  local files, amount = number_of(search.counts.searched, "file"), size(search.counts.bytes)
  local renderers = number_of(search.renderers, "renderer")
  print(("searched %s, %s, in %.2f s with %s"):format(files, amount, seconds, renderers))
end

-- Prints the best hits, in their order, and what was done for them.
function M.print(search, seconds)
  local hits, words, counts = search.hits, search.options.words, search.counts
  local shown = table.move(hits, 1, math.min(#hits, search.options.limit), 1, {})
  local columns = layout(shown)
  for rank, hit in ipairs(shown) do
    print_hit(rank, hit, words, columns)
  end
  print_shown(#shown, #hits, words)
  print_work(search, seconds)
  print_passed_over(counts)
  print_restarts(counts)
end

return M
