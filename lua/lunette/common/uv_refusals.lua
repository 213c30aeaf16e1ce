--- Functions of luv that this state does not have, beside those that none has: name to reason.
--- Filled in before luv is opened.
return {}
