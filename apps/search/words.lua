-- Words: what counts as one, and where one stands in a text.
local M = {}

-- The bytes of a word, for a set in a pattern. Every byte of a character beyond ASCII counts, as
-- most of those are letters.
local LETTERS <const> = "%w\x80-\xff"

-- Capital to small letter, for the two-byte letters of Latin, Greek and Cyrillic.
local small = {}
local function add_small(first, last, distance)
  for code = first, last do
    small[utf8.char(code)] = utf8.char(code + distance)
  end
end
add_small(0xC0, 0xD6, 32)
add_small(0xD8, 0xDE, 32)
add_small(0x391, 0x3A9, 32)
add_small(0x400, 0x40F, 80)
add_small(0x410, 0x42F, 32)

-- The text in small letters, and spaces for what beyond ASCII is no letter: quotes, dashes, signs.
-- It keeps its length, so that a place in it is the same place in the text.
function M.fold(text)
  local folded = text:lower()
  if utf8.len(text) == #text then return folded end -- nothing but ASCII
  folded = folded:gsub("[\xC3\xCE\xD0][\x80-\xBF]", small)
  folded = folded:gsub("\xC2[\x80-\xBF]", "  "):gsub("\xE2\x80[\x80-\xBF]", "   ")
  return folded
end

-- The words of a text in small letters, each once.
function M.split(text)
  local list, seen = {}, {}
  for word in M.fold(text):gmatch("[" .. LETTERS .. "]+") do
    if not seen[word] then list[#list + 1] = word end
    seen[word] = true
  end
  return list
end

local is_letter = {}
for byte = 0, 0xFF do
  is_letter[byte] = string.char(byte):find("[" .. LETTERS .. "]") ~= nil
end

-- The next place from `init` on where a word of a folded text is `word`, or begins with it: first
-- and last byte, and whether it is the whole word. nil when there is none.
function M.find(folded, word, init)
  local first, last = folded:find(word, init, true)
  while first and is_letter[folded:byte(first - 1) or 0] do
    first, last = folded:find(word, last + 1, true)
  end
  if first then return first, last, not is_letter[folded:byte(last + 1) or 0] end
end

-- A pattern for the words one after another, with anything but letters and line ends between them.
function M.phrase(words)
  return "%f[" .. LETTERS .. "]" .. table.concat(words, "[^" .. LETTERS .. "\n]+")
end

return M
