-- SPDX-License-Identifier: MIT
require "spec.support.on_thread"("require", _ENV)
