-- Puts the files in order: the usual measure of full-text search (BM25), and two more rules.
local M = {}

-- How soon more of the same word stops to count, and how much a long file has to have more of it.
local SATURATION <const>, LENGTH <const> = 1.2, 0.75

-- The words one after another, as they were given, count for more than the words.
local PHRASE <const> = 2

-- How telling each word is: the fewer files have it, the more.
local function weigh(words, hits, searched)
  local weights = {}
  for index in ipairs(words) do
    local having = 0
    for _, hit in ipairs(hits) do
      if hit.counts[index] > 0 then having = having + 1 end
    end
    weights[index] = math.log(1 + (searched - having + 0.5) / (having + 0.5))
  end
  return weights
end

local function score(hit, weights, usual_size)
  local sum, present = 0, 0
  local damping = SATURATION * (1 - LENGTH + LENGTH * hit.size / usual_size)
  for index, count in ipairs(hit.counts) do
    if count > 0 then present = present + 1 end
    sum = sum + weights[index] * count * (SATURATION + 1) / (count + damping)
  end
  return sum * present / #weights * (hit.phrases > 0 and PHRASE or 1)
end

-- The hits of a search, best first; equal ones by their names.
function M.sort(hits, words, counts)
  local weights = weigh(words, hits, counts.searched)
  for _, hit in ipairs(hits) do
    hit.score = score(hit, weights, counts.bytes / counts.searched)
  end
  table.sort(hits, function(a, b)
    if a.score ~= b.score then return a.score > b.score end
    return a.path < b.path
  end)
  return hits
end

return M
