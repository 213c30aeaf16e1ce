-- SPDX-License-Identifier: MIT
require "spec.support.on_thread"("web_contents", _ENV)
