-- SPDX-License-Identifier: MIT
require "spec.support.on_thread"("bad_input", _ENV)
