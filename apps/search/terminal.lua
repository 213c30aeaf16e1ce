-- Standard output: whether it is a terminal, how wide that is, and what may be written to it.
local lunette = require "lunette"
local uv, env = lunette.uv, lunette.process.env

local M = {}

local DEFAULT_COLUMNS <const> = 80

-- For a picture that moves and for lines that are cut; in a pipe, lines are whole and stand still.
M.is_terminal = uv.guess_handle(1) == "tty" and env.TERM ~= "dumb"

-- https://no-color.org
local has_colours = M.is_terminal and (env.NO_COLOR or "") == ""

local STYLES <const> = { path = "35", number = "32", hit = "1;31", dim = "2" }

-- The text in one of the STYLES, where there are colours.
function M.style(name, text)
  if not has_colours or text == "" then return text end
  return ("\27[%sm%s\27[0m"):format(STYLES[name], text)
end

-- How many columns the terminal has. libuv makes what it is given non-blocking, so it is given a
-- descriptor of its own: with standard output itself, text would be lost on a slow terminal.
function M.columns()
  local fd = uv.fs_open("/dev/tty", "r+", 0)
  local tty = fd and uv.new_tty(fd, false)
  local columns = tty and tty:get_winsize()
  if tty then tty:close() end
  return columns and columns > 0 and columns or DEFAULT_COLUMNS
end

local function escape(bytes)
  return (bytes:gsub(".", function(byte)
    return ("\\x%02X"):format(byte:byte())
  end))
end

-- The text as UTF-8 without control characters: a file's bytes must not steer the terminal.
function M.printable(text)
  local parts, at = {}, 1
  while true do
    local length, bad = utf8.len(text, at)
    parts[#parts + 1] = text:sub(at, length and -1 or bad - 1)
    if length then break end
    parts[#parts + 1] = escape(text:sub(bad, bad))
    at = bad + 1
  end
  local valid = table.concat(parts):gsub("\t", " ")
  return (valid:gsub("%c", escape):gsub("\xC2[\x80-\x9F]", escape))
end

-- A printable text of at most that many characters.
function M.cut(text, columns)
  if utf8.len(text) <= columns then return text end
  return text:sub(1, utf8.offset(text, math.max(columns - 2, 1)) - 1) .. "..."
end

-- The same, without the beginning instead of the end.
function M.cut_left(text, columns)
  local length = utf8.len(text)
  if length <= columns then return text end
  return "..." .. text:sub(utf8.offset(text, length - math.max(columns - 3, 0) + 1))
end

return M
