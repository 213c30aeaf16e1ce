-- SPDX-License-Identifier: MIT
require "spec.support.on_thread"("large_strings", _ENV)
