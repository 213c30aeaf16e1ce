-- A renderer: looks for the words in the texts that main sends. Its sandbox has no files, and what
-- a bad text may do to it, it does to this process alone.
local ipcRenderer = require("lunette").ipcRenderer
local match = require "match"

ipcRenderer.handle("search", function(_, words, texts)
  local answers = {}
  for index, text in ipairs(texts) do
    answers[index] = match.in_text(text, words) or false
  end
  return answers
end)
