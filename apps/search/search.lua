-- A search: the walk finds files, main reads them, renderers look through them.
--
--   walk --> queue of files --> lanes: read a batch --> invoke --> renderer
--                 ^                      |                            |
--                 +---- what was lost ---+<-------- answers ----------+
--
-- Each renderer has a few lanes, and a lane takes files only when its last batch was answered. So
-- main never reads faster than the renderers work, however large the folder: that is all there is
-- to back-pressure.
local lunette = require "lunette"
local BrowserWindow, uv = lunette.BrowserWindow, lunette.uv
local Queue = require "queue"
local read_file = require "read_file"
local walk = require "walk"

-- Two, so that one batch is read while the other is looked through.
local LANES <const> = 2

-- A message to a renderer should be worth its way.
local BATCH_BYTES <const> = 128 << 10
local BATCH_FILES <const> = 32

-- How many renderers a file may take with it, and how often each may be lost while nothing gets on.
local LOSSES <const> = 3
local LOSSES_IN_VAIN <const> = 10

local Search = {}
Search.__index = Search

-- A search for words. Its `counts` and `hits` grow while it runs. `counts` has found, done (those
-- searched or passed over), searched, bytes, restarts, handed_again, and by kind what was passed
-- over.
function Search.new(options)
  local finished, finish, fail = lunette.Promise.withResolvers()
  local counts = { found = 0, done = 0, searched = 0, bytes = 0, restarts = 0, handed_again = 0 }
  for _, kind in ipairs { "binary", "huge", "unreadable", "lost", "link", "skipped" } do
    counts[kind] = 0
  end
  return setmetatable({
    options = options,
    counts = counts,
    hits = {},
    renderers = uv.available_parallelism(),
    queue = Queue.new(),
    handed = 0,
    losses_in_vain = 0,
    finished = finished,
    finish = finish,
    fail = fail,
  }, Search)
end

-- That many more files are done.
function Search:settle(number)
  local counts = self.counts
  counts.done = counts.done + number
  self.losses_in_vain = 0
  if not self.has_walked or counts.done < counts.found then return end
  self.queue:close()
  self.finish()
end

function Search:pass_over(kind)
  self.counts[kind] = self.counts[kind] + 1
  self:settle(1)
end

-- Reads a file into the batch, if it is a text.
function Search:add_to_batch(batch, file)
  local text, why = read_file(file.path)
  if not text then return self:pass_over(why) end
  batch.bytes = batch.bytes + #text
  table.insert(batch.files, file)
  table.insert(batch.texts, text)
end

-- Whether the batch is worth a message, or has to do because nothing else is here yet. A file that
-- was lost with a renderer goes alone: should it be to blame, it takes no other with it.
local function is_enough(batch, next_file)
  if not batch.files[1] then return false end
  if batch.bytes >= BATCH_BYTES or #batch.files == BATCH_FILES or not next_file then return true end
  return batch.files[1].losses > 0 or next_file.losses > 0
end

-- Awaits files to hand out: {files, texts, bytes}, or nil when there are none left.
function Search:next_batch()
  local batch = { files = {}, texts = {}, bytes = 0 }
  repeat
    local file = self.queue:take()
    if not file then return nil end
    self:add_to_batch(batch, file)
  until is_enough(batch, self.queue:peek())
  return batch
end

function Search:take_answers(batch, answers)
  local counts = self.counts
  for index, answer in ipairs(answers) do
    if answer then
      answer.path, answer.size = batch.files[index].path, #batch.texts[index]
      table.insert(self.hits, answer)
    end
  end
  counts.searched = counts.searched + #batch.files
  counts.bytes = counts.bytes + batch.bytes
  self:settle(#batch.files)
end

-- The batch was lost with its renderer: its files are handed out again, unless they are to blame.
function Search:give_back(batch, is_suspect)
  for _, file in ipairs(batch.files) do
    file.losses = file.losses + (is_suspect and 1 or 0)
    if file.losses == LOSSES then
      self:pass_over "lost"
    else
      self.counts.handed_again = self.counts.handed_again + 1
      self.queue:push(file)
    end
  end
end

-- For --kill-one: true once, when half of the files that were found have been handed out.
function Search:is_time_to_kill(batch)
  self.handed = self.handed + #batch.files
  if not self.options.kill_one or self.handed * 2 < self.counts.found then return false end
  self.options.kill_one = false
  return true
end

-- One lane: hands the renderer a batch after the other until there are none left, or it is gone.
-- It answers them in their order, so the first that it did not is what it died of, if of any.
function Search:serve(contents, life)
  for batch in self.next_batch, self do
    if life.is_over then return self:give_back(batch, false) end
    life.handed = life.handed + 1
    local turn = life.handed
    local promise = contents:invoke("search", self.options.words, batch.texts)
    if self:is_time_to_kill(batch) then contents:forcefullyCrashRenderer() end
    local ok, answers = promise:pawait()
    if ok then
      life.answered = turn
      self:take_answers(batch, answers)
    elseif answers.name == "PeerGoneError" then
      return self:give_back(batch, turn == life.answered + 1)
    else
      error(answers, 0)
    end
  end
end

function Search:on_renderer_gone(contents)
  self.counts.restarts = self.counts.restarts + 1
  self.losses_in_vain = self.losses_in_vain + 1
  if self.losses_in_vain <= LOSSES_IN_VAIN * self.renderers then
    contents:reload()
  else
    self.fail "the renderers do not stay alive"
  end
end

-- Each life of a renderer, the first and those after a crash, begins with did-finish-load.
function Search:open_renderer()
  local contents = BrowserWindow.new({ show = false }).webContents
  local life = {}
  contents:on("did-finish-load", function()
    life = { handed = 0, answered = 0 }
    for _ = 1, LANES do
      lunette.spawn(self.serve, self, contents, life):catch(self.fail)
    end
  end)
  contents:on("did-fail-load", function(_, _, description)
    if not contents:isCrashed() then self.fail(description) end
  end)
  contents:on("render-process-gone", function()
    life.is_over = true
    self:on_renderer_gone(contents)
  end)
  contents:loadFile "page.lua"
end

function Search:on_entry(path, kind)
  local counts = self.counts
  if kind == "file" then
    counts.found = counts.found + 1
    self.queue:push { path = path, losses = 0 }
  elseif counts[kind] then
    counts[kind] = counts[kind] + 1
  end
end

function Search:walk()
  walk(self.options.folder, function(path, kind)
    self:on_entry(path, kind)
  end)
  self.has_walked = true
  self:settle(0)
end

-- Awaits the end of the search. Raises when the renderers cannot work.
function Search:run()
  for _ = 1, self.renderers do
    self:open_renderer()
  end
  lunette.spawn(self.walk, self):catch(self.fail)
  self.finished:await()
end

return Search
