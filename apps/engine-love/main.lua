-- SPDX-License-Identifier: MIT
-- A game in LÖVE whose balls are scripted: each by a page, a sandboxed process with Lua 5.4. This
-- file runs in LuaJIT. The main script of Lunette's app is app.lua.
local lunette = require "lunette"

local BUDGET_US = 2000
local WIDTH, HEIGHT = 640, 400

local host
local balls = {}     -- by page
local frames, limit = 0, nil
local counts = { moves = 0, asked = 0, gone = 0 }

-- {x, y, vx, vy} of a ball as JSON.
local function place_of(ball)
  return ("[%.1f,%.1f,%d,%d]"):format(ball.x, ball.y, WIDTH, HEIGHT)
end

local on = {}

function on.loaded(page) balls[page].is_alive = true end

function on.gone(page, _, reason)
  counts.gone = counts.gone + 1
  balls[page].is_alive = false
  print(("ball %d: %s"):format(page, reason))
  host:reload(page)
end

function on.failed(page, _, reason) print(("ball %d does not load: %s"):format(page, reason)) end

-- ["vx", "vy"]: where its script wants it to go.
function on.message(page, _, text)
  local vx, vy = text:match "^%[(%-?[%d.]+),(%-?[%d.]+)%]$"
  local ball = balls[page]
  ball.vx, ball.vy = tonumber(vx), tonumber(vy)
  counts.moves = counts.moves + 1
end

-- A script asks for the size of the field.
function on.invoke(_, _, _, id)
  counts.asked = counts.asked + 1
  host:reply(id, ("[%d,%d]"):format(WIDTH, HEIGHT))
end

function on.log(page, _, text) print(("ball %d says: %s"):format(page, text)) end

function love.load(args)
  for i, arg in ipairs(args) do
    if arg == "--frames" then limit = tonumber(args[i + 1]) end
  end
  host = lunette.open(love.filesystem.getSource() .. "/app.lua")
  host:on "go"
  host:handle "field"
  for i = 1, 3 do
    balls[host:open_page "pages/ball.lua"] = { x = 160 * i, y = 100 + 40 * i, vx = 0, vy = 0 }
  end
end

local function move(ball, dt)
  ball.x = math.max(0, math.min(WIDTH, ball.x + ball.vx * dt))
  ball.y = math.max(0, math.min(HEIGHT, ball.y + ball.vy * dt))
end

-- The figures, and what must be so for the spec.
local function finish()
  print(("Lunette %s, %s"):format(lunette.version, jit.version))
  print(("frames: %d, moves: %d, asked: %d, gone: %d"):format(frames, counts.moves, counts.asked,
    counts.gone))
  love.event.quit(counts.asked == 3 and counts.moves > 0 and 0 or 1)
end

function love.update(dt)
  host:pump(BUDGET_US)
  for name, page, channel, text, id in host:events() do
    if on[name] then on[name](page, channel, text, id) end
  end
  for page, ball in pairs(balls) do
    move(ball, dt)
    if ball.is_alive then host:send(page, "at", place_of(ball)) end
  end
  frames = frames + 1
  if frames == limit then finish() end
end

function love.draw()
  love.graphics.clear(0.1, 0.13, 0.16)
  for page, ball in pairs(balls) do
    love.graphics.setColor(0.9, 0.3 + 0.2 * page, 0.3)
    love.graphics.circle("fill", ball.x, ball.y, 14)
  end
  love.graphics.setColor(1, 1, 1)
  love.graphics.print(("%d fps, %d moves"):format(love.timer.getFPS(), counts.moves), 10, 10)
end

function love.quit()
  host:close()
end
