-- SPDX-License-Identifier: MIT
require "spec.support.on_thread"("ipc_renderer", _ENV)
