-- SPDX-License-Identifier: MIT
require "spec.support.on_thread"("limits", _ENV)
