-- SPDX-License-Identifier: MIT
-- A page that answers.
require("lunette").ipcRenderer.handle("square", function(_, number)
  return number * number
end)
