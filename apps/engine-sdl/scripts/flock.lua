-- Stays near the next one of its kind, but not too near; runs from hunters sooner than the others.
local creature = require "scripts.creature"

local NEAR <const>, FAR <const>, FEAR <const> = 18, 60, 130
local drift = math.random() * 2 * math.pi

creature.on_think(function(sight)
  if sight:foe_distance() < FEAR then return -sight.foe_x, -sight.foe_y end
  local distance = sight:friend_distance()
  if distance < NEAR then return -sight.friend_x, -sight.friend_y end
  if distance > FAR then return sight.friend_x, sight.friend_y end
  drift = drift + (math.random() - 0.5) * 0.4
  return math.cos(drift) + sight:to_middle_x(), math.sin(drift) + sight:to_middle_y()
end)
