-- SPDX-License-Identifier: MIT
require "spec.support.on_thread"("lifetime", _ENV)
