-- SPDX-License-Identifier: MIT
require "spec.support.on_thread"("unresponsive", _ENV)
