-- SPDX-License-Identifier: MIT
require "spec.support.on_thread"("browser_window", _ENV)
