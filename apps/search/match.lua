-- What a file has of the words: the little that main needs to rank it and to show it.
local words_of = require "words"

local M = {}

-- A word that only begins with the one looked for ("files" for "file") counts less than the word.
local BEGINNING <const> = 0.5

-- How much of a line is shown, in bytes, and how much of that in front of the first hit at least.
local SHOWN <const> = 240
local LEAD <const> = 40

local function has_any(folded, words)
  for _, word in ipairs(words) do
    if words_of.find(folded, word, 1) then return true end
  end
  return false
end

-- How often the word stands in the line, and where first.
local function count_word(folded, word)
  local count, first = 0, nil
  local from, to, is_whole = words_of.find(folded, word, 1)
  while from do
    first = first or from
    count = count + (is_whole and 1 or BEGINNING)
    from, to, is_whole = words_of.find(folded, word, to + 1)
  end
  return count, first
end

local function count_phrase(folded, phrase)
  local _, count = folded:gsub(phrase, "")
  return count
end

-- Adds the line's counts to the file's. How good the line is to show, 0 without a hit, and where
-- its first hit stands: many of the words are better than one often, and the phrase is best.
local function add_line(file, folded, words, phrase)
  local score, place = 0, #folded
  for index, word in ipairs(words) do
    local count, first = count_word(folded, word)
    file.counts[index] = file.counts[index] + count
    score = score + math.min(count, 1)
    place = math.min(place, first or place)
  end
  if phrase and score > 1 then
    local phrases = count_phrase(folded, phrase)
    file.phrases = file.phrases + phrases
    score = score + math.min(phrases, 1) * #words
  end
  return score, place
end

-- The line without its indentation and, if it is long, the part around the hit. Cut between
-- characters.
local function cut(line, place)
  local first = line:find "%S" or 1
  if #line - first >= SHOWN then
    first = math.max(first, math.min(place - LEAD, #line - SHOWN + 1))
  end
  local part = line:sub(first, first + SHOWN - 1):gsub("%s+$", "")
  if first > 1 then part = part:gsub("^[\x80-\xBF]+", "") end
  if first + SHOWN <= #line then part = part:gsub("[\xC0-\xFF][\x80-\xBF]*$", "") end
  return part
end

-- What the file has: {counts: of each word, phrases, lines: with a hit, line and text: number and
-- text of the best one}, or nil when it has none of the words.
function M.in_text(text, words)
  local whole = words_of.fold(text)
  if not has_any(whole, words) then return nil end
  local phrase = #words > 1 and words_of.phrase(words) or nil
  local file = { counts = {}, phrases = 0, lines = 0 }
  for index in ipairs(words) do
    file.counts[index] = 0
  end
  local best, number, start = 0, 0, 1
  for folded in whole:gmatch "[^\n]*" do
    number = number + 1
    local score, place = add_line(file, folded, words, phrase)
    if score > 0 then file.lines = file.lines + 1 end
    if score > best then
      best, file.line = score, number
      file.text = cut(text:sub(start, start + #folded - 1), place)
    end
    start = start + #folded + 1
  end
  return file
end

return M
