-- SPDX-License-Identifier: MIT
require "spec.support.on_thread"("memory_limit", _ENV)
