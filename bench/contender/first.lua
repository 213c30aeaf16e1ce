-- SPDX-License-Identifier: MIT
-- A page that says that it runs.
require("lunette").ipcRenderer.send("first")
