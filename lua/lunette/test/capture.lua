--- What one worker prints: two files, which it appends to and which are read here piece by piece,
--- so that each piece comes to stand where it stood between the events.
local import = ...
local workplace = import "test.workplace"

---@class Capture
---@field paths {out: string, err: string}
local Capture = {}
Capture.__index = Capture

---@param number integer of the worker
---@return Capture
function Capture.new(number)
  local paths = { out = workplace.path(number .. ".out"), err = workplace.path(number .. ".err") }
  return setmetatable({ paths = paths, _files = {}, _read = { out = 0, err = 0 } }, Capture)
end

-- The file has its name no longer than it must.
local function open(self, name)
  if self._files[name] == nil then
    self._files[name] = io.open(self.paths[name], "rb") or false
    os.remove(self.paths[name])
  end
  return self._files[name]
end

local function read(self, name, upto)
  local from = self._read[name]
  local file = upto > from and open(self, name)
  if not file then return "" end
  file:seek("set", from)
  local text = upto == math.huge and file:read "a" or file:read(upto - from)
  self._read[name] = from + #(text or "")
  return text or ""
end

--- What was printed behind what was read before, up to these lengths of the files.
---@param out number
---@param err number
---@return {out: string, err: string}
function Capture:take(out, err)
  return { out = read(self, "out", out), err = read(self, "err", err) }
end

--- All that is left; the files are closed.
---@return {out: string, err: string}
function Capture:finish()
  local rest = self:take(math.huge, math.huge)
  for name, file in pairs(self._files) do
    if file then file:close() end
    self._files[name] = false
  end
  return rest
end

return Capture
