-- SPDX-License-Identifier: MIT
function love.conf(t)
  t.identity = "lunette-engine-love"
  t.version = "11.4"
  t.window.title = "Lunette in LÖVE"
  t.window.width, t.window.height = 640, 400
  t.modules.audio, t.modules.sound = false, false
end
