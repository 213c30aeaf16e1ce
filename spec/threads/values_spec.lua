-- SPDX-License-Identifier: MIT
require "spec.support.on_thread"("values", _ENV)
