-- SPDX-License-Identifier: MIT
-- A page of the soak: talks to main in all ways, as fast as it likes, until it is told to be quiet,
-- or to die.
local lunette = require "lunette"
local Tally = require "tally"
local ipc, process = lunette.ipcRenderer, lunette.process

local LARGE <const> = 1 << 20

local life, seed = table.unpack(ipc.sendSync "hello")
local is_quiet = false
math.randomseed(seed)

local function fault(text)
  ipc.send("fault", ("page %d: %s"):format(life, text))
end

local tally = Tally.new(fault)

-- Mostly small; now and then large enough to go through shared memory.
local function padding()
  return ("x"):rep(math.random(100) == 1 and LARGE or math.random(0, 200))
end

local function ask(channel, number, is_late)
  tally:ask()
  return ipc.invoke(channel, life, number, padding()):andThen(function(answer)
    if answer ~= number then fault(("%s answers %d to %d"):format(channel, answer, number)) end
    tally:answer(answer, is_late)
  end)
end

-- What a page says, each by the number of the message.
local WAYS <const> = {
  function(number)
    ipc.send("tell", life, number, padding())
    tally:ask()
  end,
  function(number) ask("ask", number) end,
  function(number) ask("ask-late", number, true) end,
  function(number)
    local answer = ipc.sendSync("ask-sync", life, number, padding())
    if answer ~= number then fault(("sendSync: %s to %d"):format(answer, number)) end
  end,
  function(number)
    local promise = ipc.invoke("ask-late", life, number)
    promise:catch(function() end)
    promise:cancel()
  end,
}

-- How a page dies that is allowed to; a sandboxed one can only hang, or want too much.
local DEATHS <const> = {
  exit = function() os.exit(math.random(0, 3)) end,
  abort = function() process.kill(process.pid, "SIGABRT") end,
  segv = function() process.kill(process.pid, "SIGSEGV") end,
  hang = function() while true do end end,
  eat = function()
    local heap = {}
    while true do heap[#heap + 1] = ("x"):rep(LARGE // 8) .. #heap end
  end,
}

-- What main said to the page before, whose hello came when main had asked for this one already,
-- may get here.
local function handle(to, number)
  if to > life then fault(("message %d is for page %d"):format(number, to)) end
  if to == life then tally:handle(number) end
end

ipc.on("told", function(_, number) tally:answer(number) end)
ipc.on("tell", function(_, to, number) handle(to, number) end)
ipc.on("die", function(_, how) DEATHS[how]() end)
ipc.handle("ask", function(_, to, number)
  handle(to, number)
  return number
end)

-- Answers when everything has been, with what was sent and what came.
ipc.handle("quiet", function()
  is_quiet = true
  while tally.open > 0 do lunette.sleep(1) end
  return tally.sent, tally.came
end)

while not is_quiet do
  for _ = 1, math.random(10) do
    local _, err = tally:send(WAYS[math.random(#WAYS)])
    if err then fault(tostring(err)) end
  end
  ipc.drained():await()
  lunette.sleep(math.random(0, 20))
end
