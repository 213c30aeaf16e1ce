-- A login form, and a user who fills it in: impatiently, then wrongly.
local lunette = require "lunette"

local is_submitting = false

local function show_outcome(ok, outcome)
  if ok then
    print(("welcome, %s"):format(outcome.name))
  else
    print(("refused: %s (%s)"):format(outcome.message, outcome.code))
  end
end

-- Submits the form; while an earlier submit is under way it does nothing.
local function submit(email, password)
  if is_submitting then return print "ignored: a login is under way" end
  is_submitting = true
  print(("logging in as %s"):format(email))
  local login = window.electronClient.invokeSubmitLogin { email = email, password = password }
  show_outcome(login:pawait())
  is_submitting = false
end

print(("the page has ipcRenderer: %s"):format(lunette.ipcRenderer ~= nil))

-- The second click comes while the first login is being checked.
local first_click = lunette.spawn(submit, "ada@example.org", "analytical engine")
submit("ada@example.org", "analytical engine")
first_click:await()

submit("ada@example.org", "difference engine")
window.close()
