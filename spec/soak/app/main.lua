-- SPDX-License-Identifier: MIT
-- The main script of the soak: opens windows and does to them whatever may happen, by chance.
--
--   lunette spec/soak/app --log=FILE --seed=N --seconds=N [--end=exit|abort] [--clock=MODULE]
--     [--threads]
--
-- With --threads half of the pages are threads.
-- Appends to the log: "fault TEXT" for each breach of a promise, "skipped TEXT" for what cannot be
-- done here, "did NAME" for what was done to a window, "gone REASON" for how a renderer went,
-- "memory HEAP PSS" each second, and "count N" for the messages handled since the last such line.
local lunette = require "lunette"
local Tally = require "tally"
local app, ipcMain, process, uv = lunette.app, lunette.ipcMain, lunette.process, lunette.uv
local switch = app.commandLine.getSwitchValue

local WINDOWS <const>, QUIET_MS <const>, HOUR <const> = 6, 20000, 3600
-- What stays when all windows are closed: the zygote's socket, its pidfd and its spare's; and a
-- spare thread, with its loop's, its channel's and its own.
local ZYGOTE_DESCRIPTORS <const>, SPARE_DESCRIPTORS <const>, SPARE_THREADS <const> = 3, 6, 1
local MEMORY_LIMIT <const>, THREAD_MEMORY_LIMIT <const> = 48 << 20, 16 << 20
local DEATHS <const> = { "exit", "abort", "segv", "hang", "eat" }
local SANDBOXED_DEATHS <const> = { "hang", "eat" }
-- A thread has no signals: it ends by an exit code, or as a page in a sandbox does.
local THREAD_DEATHS <const> = { "exit", "hang", "eat" }

local log = assert(io.open(switch "log", "a"))
log:setvbuf "line"
math.randomseed(math.tointeger(tonumber(switch "seed")))

-- The windows, and what is known of their pages, which have said hello: by webContents.id.
local windows, pages = {}, {}
local has_threads = app.commandLine.hasSwitch "threads"
local lives, handled, open_questions, ahead = 0, 0, 0, 0

local function write(word, text)
  log:write(word, " ", text, "\n")
end

local function fault(text)
  write("fault", text)
end

local function later(ms, fn)
  lunette.setTimeout(fn, ms)
end

-- Messages of pages

ipcMain.on("fault", function(_, text) fault(text) end)

ipcMain.on("hello", function(event)
  lives = lives + 1
  local life = lives
  pages[event.sender.id] = {
    life = life,
    tally = Tally.new(function(text) fault(("main, of page %d: %s"):format(life, text)) end),
  }
  event.returnValue = { life, math.random(1 << 30) }
end)

local function handle(event, life, number)
  local page = pages[event.sender.id]
  handled = handled + 1
  if not page then return end -- it is being replaced
  if page.life ~= life then return fault(("page %d speaks for %d"):format(page.life, life)) end
  page.tally:handle(number)
end

ipcMain.on("tell", function(event, life, number)
  handle(event, life, number)
  event:reply("told", number)
end)

ipcMain.on("ask-sync", function(event, life, number)
  handle(event, life, number)
  event.returnValue = number
end)

ipcMain.handle("ask", function(event, life, number)
  handle(event, life, number)
  return number
end)

ipcMain.handle("ask-late", function(event, life, number)
  handle(event, life, number)
  lunette.sleep(math.random(0, 20))
  return number
end)

-- What is done to windows

local function load(win)
  pages[win.webContents.id] = nil
  win:loadFile("page.lua"):catch(function() end)
end

local function revive(win)
  if not win:isDestroyed() and win.webContents:isCrashed() then load(win) end
end

local function open()
  if #windows == WINDOWS then return end
  local is_sandboxed = math.random(2) == 1
  local is_thread = has_threads and math.random(2) == 1
  local win = lunette.BrowserWindow.new {
    webPreferences = {
      sandbox = is_sandboxed,
      memoryLimit = is_thread and THREAD_MEMORY_LIMIT or MEMORY_LIMIT,
      isolation = is_thread and "thread" or "process",
    },
  }
  if is_thread then write("did", "open a thread") end
  local id = win.webContents.id
  windows[#windows + 1] = win
  win.is_thread = is_thread
  win.is_forked = is_sandboxed and not app.commandLine.hasSwitch "no-zygote"
  win.deaths = is_sandboxed and SANDBOXED_DEATHS or is_thread and THREAD_DEATHS or DEATHS
  win.webContents:on("render-process-gone", function(_, details)
    write("gone", (is_thread and "thread " or "") .. details.reason)
    pages[id] = nil
    later(math.random(0, 50), function() revive(win) end)
  end)
  win:on("closed", function() pages[id] = nil end)
  load(win)
end

local function close(win, index)
  table.remove(windows, index)
  local method = math.random(2) == 1 and "close" or "destroy"
  win[method](win)
end

local function signal(win, name)
  if win.is_thread then return end -- that is main
  local pid = not win:isDestroyed() and win.webContents:getOSProcessId() or 0
  if pid > 0 then pcall(process.kill, pid, name) end -- it may have ended, and nobody told us yet
end

-- A stopped page goes on later, or is killed as it stands. One that was started by itself is left
-- when it is stopped in its first millisecond and main ends then (docs/limits.md): only those of
-- the zygote are stopped as early as that.
local function stop(win)
  if not win.is_forked and not pages[win.webContents.id] then return end
  signal(win, "SIGSTOP")
  local name = math.random(3) == 1 and "SIGKILL" or "SIGCONT"
  later(math.random(300), function() signal(win, name) end)
end

local function die(win)
  local page, how = pages[win.webContents.id], win.deaths[math.random(#win.deaths)]
  if not page or page.is_doomed then return end
  page.is_doomed = true
  win.webContents:send("die", how)
  if how ~= "hang" then return end
  later(math.random(300), function()
    local is_same = not win:isDestroyed() and pages[win.webContents.id] == page
    if is_same then win.webContents:forcefullyCrashRenderer() end
  end)
end

local function ask(contents, page, number)
  local function settled() open_questions = open_questions - 1 end
  local promise = contents:invoke("ask", page.life, number, ("x"):rep(math.random(2000)))
  open_questions = open_questions + 1
  page.tally:ask()
  promise:andThen(function(answer) page.tally:answer(answer) end):catch(function(err)
    if err.name ~= "PeerGoneError" and err.name ~= "AbortError" then fault(tostring(err)) end
  end):finally(settled)
end

local function talk(win)
  local contents, page = win.webContents, pages[win.webContents.id]
  if not page then return end
  for _ = 1, math.random(20) do
    page.tally:send(function(number)
      if math.random(2) == 1 then return ask(contents, page, number) end
      contents:send("tell", page.life, number)
    end)
  end
end

-- The clock of main goes an hour ahead, that of the renderers that are there does not.
local clock = switch "clock" ~= "" and package.loadlib(switch "clock", "luaopen_clock")
local set_clock = clock and clock()

local function jump()
  if not set_clock then return end
  ahead = ahead + HOUR
  local ok, err = set_clock(ahead)
  if ok then return write("did", "jump") end
  if err == "Too many open files" then return end -- which is another trouble
  set_clock = nil
  write("skipped", "the clock does not jump: " .. err)
end

local ACTIONS <const> = {
  { "open", open, 8 },
  { "talk", talk, 40 },
  { "close", close, 2 },
  { "load", load, 3 },
  { "crash", function(win) win.webContents:forcefullyCrashRenderer() end, 2 },
  { "kill", function(win) signal(win, "SIGKILL") end, 2 },
  { "stop", stop, 2 },
  { "die", die, 4 },
  { "jump", jump, 1 },
}

local lots = {}
for _, action in ipairs(ACTIONS) do
  for _ = 1, action[3] do lots[#lots + 1] = action end
end

local function act()
  local action = lots[math.random(#lots)]
  local index = math.random(math.max(#windows, 1))
  if not windows[index] then return open() end
  action[2](windows[index], index)
  if action[1] ~= "talk" and action[1] ~= "jump" then write("did", action[1]) end
end

-- What has to hold at the end

local function wait_until(what, predicate)
  local last = os.time() + QUIET_MS // 1000
  repeat
    if predicate() then return end
    lunette.sleep(5)
  until os.time() > last
  fault("not in time: " .. what)
end

-- Everything that either end has sent was handled by the other.
local function check_page(contents, page)
  local ok, sent, came = contents:invoke("quiet"):timeout(QUIET_MS):pawait()
  if not ok and sent.name == "PeerGoneError" then return end
  if not ok then return fault(("page %d is not quiet: %s"):format(page.life, sent)) end
  local tally = page.tally
  if sent == tally.came and came == tally.sent and tally.open == 0 then
    return write("did", "check")
  end
  fault(("page %d: %d of %d handled, %d of %d back, %d open")
    :format(page.life, tally.came, sent, came, tally.sent, tally.open))
end

local function close_all()
  for _, win in ipairs(windows) do
    signal(win, "SIGCONT")
    local page = pages[win.webContents.id]
    if page and not page.is_doomed then check_page(win.webContents, page) end
    win:destroy()
  end
  windows = {}
  wait_until("the end of all questions", function() return open_questions == 0 end)
end

local function count_entries(path)
  local request, count = uv.fs_scandir(path), 0
  while request and uv.fs_scandir_next(request) do count = count + 1 end
  return count
end

local function count_descriptors() return count_entries "/proc/self/fd" end
local function count_threads() return count_entries "/proc/self/task" end

local function pss()
  local file <close> = io.open "/proc/self/smaps_rollup"
  return file and math.tointeger(tonumber(file:read("a"):match "\nPss:%s*(%d+) kB")) << 10
end

local last_sample = os.time()

local function sample()
  if os.time() == last_sample then return end
  last_sample = os.time()
  collectgarbage()
  collectgarbage()
  local bytes = pss()
  if bytes then write("memory", ("%d %d"):format(process.memoryUsage().heap, bytes)) end
  write("count", handled)
  handled = 0
end

local ENDS <const> = {
  exit = function() os.exit(0) end,
  abort = function() process.kill(process.pid, "SIGABRT") end,
}

-- Standard error may be on a full disk.
process.on("uncaughtException", function(err, traceback)
  local text = ("uncaught: %s %s"):format(err, traceback):gsub("%s+", " ")
  fault(text)
end)
process.on("unhandledRejection", function(err)
  fault("unhandled: " .. tostring(err))
end)
app.on("window-all-closed", function() end)
app.whenReady():await()

local descriptors = count_descriptors() + ZYGOTE_DESCRIPTORS + SPARE_DESCRIPTORS
-- The thread sanitizer has a thread of its own from the first that the program makes.
local SANITIZER_THREADS <const> = process.execPath:find "/tsan/" and 1 or 0
local threads = count_threads() + SPARE_THREADS + SANITIZER_THREADS

local last = os.time() + math.tointeger(tonumber(switch "seconds"))
while os.time() < last do
  act()
  sample()
  lunette.sleep(math.random(0, 10))
end
if ENDS[switch "end"] then ENDS[switch "end"]() end
close_all()
wait_until("as many descriptors as at the start", function()
  return count_descriptors() <= descriptors
end)
wait_until("as many threads as at the start", function() return count_threads() <= threads end)
write("count", handled)
app.quit()
