-- Reads text files, and says why another is none.
local lunette = require "lunette"
local uv = lunette.uv
local open, read = lunette.promisify(uv.fs_open), lunette.promisify(uv.fs_read)

-- Whatever is larger is data, and would hold up everything behind it.
local LIMIT <const> = 16 << 20

-- Text has no zero bytes; git looks at as much to tell.
local BEGINNING <const> = 8000

-- What may have to wait for the disk is awaited; fstat and close of an open file do not.
local function read_text(fd)
  local stat = assert(uv.fs_fstat(fd))
  if stat.type ~= "file" then return nil, "unreadable" end
  if stat.size > LIMIT then return nil, "huge" end
  local text = read(fd, math.min(stat.size, BEGINNING), 0):await()
  if text:find("\0", 1, true) then return nil, "binary" end
  if stat.size > BEGINNING then
    text = text .. read(fd, stat.size - BEGINNING, BEGINNING):await()
  end
  return (text:gsub("^\xEF\xBB\xBF", "")) -- without a byte order mark
end

-- The text of a file, or nil and why there is none: "unreadable", "huge" or "binary".
return function(path)
  local opened, fd = open(path, "r", 0):pawait()
  if not opened then return nil, "unreadable" end
  local ok, text, why = pcall(read_text, fd)
  uv.fs_close(fd)
  if not ok then return nil, "unreadable" end
  return text, why
end
