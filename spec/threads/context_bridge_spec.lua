-- SPDX-License-Identifier: MIT
require "spec.support.on_thread"("context_bridge", _ENV)
