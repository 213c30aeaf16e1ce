--- Parts of a renderer's API that this version does not have.
local import = ...
local not_yet = import "common.not_yet"

return {
  MessageChannel = not_yet("MessageChannel", { "new" }),
  WebView = not_yet("WebView", { "new" }),
  webFrame = not_yet("webFrame", { "create" }),
}
