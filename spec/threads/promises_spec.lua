-- SPDX-License-Identifier: MIT
require "spec.support.on_thread"("promises", _ENV)
