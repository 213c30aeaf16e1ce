-- Wanders about, and runs from hunters. Edit this while the game runs.
local creature = require "scripts.creature"

local heading = math.random() * 2 * math.pi
local FEAR <const> = 90

creature.on_think(function(sight)
  if sight:foe_distance() < FEAR then return -sight.foe_x, -sight.foe_y end
  heading = heading + (math.random() - 0.5)
  local dx, dy = math.cos(heading), math.sin(heading)
  return dx + sight:to_middle_x(), dy + sight:to_middle_y()
end)
