--- Publishes what workers told of their events to the output handlers, as if the specs ran here:
--- the elements are rebuilt beneath the real root, and what was printed before an event is printed.
local import = ...
local obituary = import "test.obituary"

-- What a mirrored element runs.
local function nothing() end

---@class Replay
local Replay = {}
Replay.__index = Replay

---@param core table busted's core
---@param files table<integer, table> the elements of the files, by index
---@return Replay
function Replay.new(core, files)
  return setmetatable({ _core = core, _files = files, _elements = {}, _open = {} }, Replay)
end

--- Prints a piece of what a worker printed.
---@param piece {out: string, err: string}
function Replay.print(piece)
  if piece.out ~= "" then
    io.stdout:write(piece.out)
    io.stdout:flush()
  end
  if piece.err ~= "" then io.stderr:write(piece.err) end
end

-- Being pushed as an insulated block would save this state's globals.
local function push(core, element)
  local attributes = element.attributes
  element.attributes = {}
  core.context.push(element)
  element.attributes = attributes
end

local function attach(core, parent, element)
  push(core, parent)
  core.context.attach(element)
  core.context.pop()
end

local function elements_of(self, host)
  local elements = self._elements[host]
  if not elements then
    elements = {}
    self._elements[host] = elements
  end
  elements[0] = self._core.context.get()
  return elements
end

local function define(self, elements, definition)
  if definition.file then
    elements[definition.id] = self._files[definition.file]
    return
  end
  local parent = definition.parent and elements[definition.parent]
  local element = { run = nothing }
  for key, value in pairs(definition) do
    if key ~= "id" and key ~= "parent" then element[key] = value end
  end
  elements[definition.id] = element
  if parent then attach(self._core, parent, element) end
end

-- As busted publishes: an error of a handler's is told as one of the element's.
local function publish(self, descriptor, channel, element, ...)
  local core, attributes, arguments = self._core, element.attributes, table.pack(...)
  element.attributes = {}
  core.safe(descriptor, function()
    element.attributes = attributes
    core.publish(channel, element, table.unpack(arguments, 1, arguments.n))
  end, element)
  element.attributes = attributes
end

local function publish_step(self, entry, element, parent)
  for name, value in pairs(entry.times) do
    element[name] = value
  end
  local kind, edge = entry.channel[1], entry.channel[2]
  if edge == "start" then
    table.insert(self._open, { element = element, parent = parent, kind = kind })
  else
    table.remove(self._open)
  end
  local descriptor = kind == "test" and element.descriptor == "pending" and "it" or kind
  publish(self, descriptor, entry.channel, element, parent, entry.status)
end

local function publish_outcome(self, entry, element, parent)
  local trace = entry.trace
  if trace == "element" then trace = element.trace end
  if self._core.context.parent(element) then
    publish(self, element.descriptor, entry.channel, element, parent, entry.message, trace)
  else
    self._core.publish(entry.channel, element, parent, entry.message, trace)
  end
end

--- Publishes the event of an entry.
---@param host Host
---@param entry table
function Replay:publish(host, entry)
  local elements = elements_of(self, host)
  for _, definition in ipairs(entry.new or {}) do
    define(self, elements, definition)
  end
  local element, parent = elements[entry.element], elements[entry.parent]
  if parent and entry.parent ~= 0 then parent.randomseed = entry.seed end -- files are shuffled here
  local is_step = entry.times ~= nil
  local act = is_step and publish_step or publish_outcome
  act(self, entry, element, parent)
end

--- Whether something has begun and not ended.
function Replay:is_open()
  return #self._open > 0
end

--- Ends what a worker that has died left open, with an error that says how it died.
---@param file table the element of the file that it ran
---@param text string
---@param is_inside boolean? whether no more than a test ends: others go on with the file
function Replay:bury(file, text, is_inside)
  local open, rest = self._open, {}
  if is_inside then
    local is_test = #open > 0 and open[#open].kind == "test"
    rest = table.move(open, 1, #open - (is_test and 1 or 0), 1, {})
  end
  obituary.publish(self._core, open, #rest, file, text, function(...)
    publish(self, ...)
  end)
  self._open = rest
end

--- Forgets the elements of a worker that tells nothing more.
---@param host Host
function Replay:forget(host)
  self._elements[host] = nil
end

return Replay
