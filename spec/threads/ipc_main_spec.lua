-- SPDX-License-Identifier: MIT
require "spec.support.on_thread"("ipc_main", _ENV)
