-- SPDX-License-Identifier: MIT
require "spec.support.on_thread"("conventions", _ENV)
