-- SPDX-License-Identifier: MIT
require "spec.support.on_thread"("process", _ENV)
