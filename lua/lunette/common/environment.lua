--- `process.env`: the environment of the process, read, assigned and walked like a table.
local import = ...
local core_os = import "core.os"

local function is_text(value)
  return type(value) == "string" and not value:find("\0", 1, true)
end

local function is_name(value)
  return is_text(value) and value ~= "" and not value:find("=", 1, true)
end

return setmetatable({}, {
  __name = "process.env",
  __index = function(_, name)
    return is_name(name) and core_os.getenv(name) or nil
  end,
  __newindex = function(_, name, value)
    if not is_name(name) then
      error("process.env: a variable's name is a string without = and zero bytes", 2)
    end
    local text = value ~= nil and tostring(value) or nil
    if text and not is_text(text) then
      error(("process.env.%s: a value without zero bytes expected"):format(name), 2)
    end
    core_os.setenv(name, text)
  end,
  __pairs = function()
    return pairs(core_os.environ())
  end,
})
