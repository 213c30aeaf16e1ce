-- SPDX-License-Identifier: MIT
require "spec.support.on_thread"("limit_settings", _ENV)
