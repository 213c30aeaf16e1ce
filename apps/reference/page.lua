-- Plays the examples in order: a module may await while it is required, so each ends before the
-- next begins.
require "page.messages"
require "page.listeners"
require "page.handlers"
require "page.windows"

window.close()
