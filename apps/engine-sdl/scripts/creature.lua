-- What every creature's script begins with: what it sees, and how it steers.
local ipcRenderer = require("lunette").ipcRenderer

local WIDTH <const>, HEIGHT <const> = 960, 600

local Sight = {}
Sight.__index = Sight

function Sight:friend_distance()
  return math.sqrt(self.friend_x ^ 2 + self.friend_y ^ 2)
end

function Sight:foe_distance()
  return math.sqrt(self.foe_x ^ 2 + self.foe_y ^ 2)
end

-- The pull of the middle of the field: 1 at its edge.
function Sight:to_middle_x()
  return (WIDTH / 2 - self.x) / (WIDTH / 2)
end

function Sight:to_middle_y()
  return (HEIGHT / 2 - self.y) / (HEIGHT / 2)
end

local M = {}

-- Calls think(sight), some twenty times a second, for the direction to go: dx, dy.
function M.on_think(think)
  ipcRenderer.on("think", function(_, x, y, friend_x, friend_y, foe_x, foe_y)
    local sight = {
      x = x, y = y, friend_x = friend_x, friend_y = friend_y, foe_x = foe_x, foe_y = foe_y,
    }
    ipcRenderer.send("steer", think(setmetatable(sight, Sight)))
  end)
end

-- What a mistake in a script can come to: the engine stops it, and shows it.
ipcRenderer.on("loop", function()
  while true do end
end)

return M
