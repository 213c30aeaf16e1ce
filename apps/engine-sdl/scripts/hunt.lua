-- Goes after whoever is nearest, and rests when it has come close.
local creature = require "scripts.creature"

local CLOSE <const>, REST <const> = 12, 20
local resting = 0

creature.on_think(function(sight)
  if resting > 0 then
    resting = resting - 1
    return sight:to_middle_x(), sight:to_middle_y()
  end
  if sight:friend_distance() < CLOSE then resting = REST end
  return sight.friend_x, sight.friend_y
end)
