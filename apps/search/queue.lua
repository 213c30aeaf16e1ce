-- A queue whose takers wait until there is something, or until it is closed.
local lunette = require "lunette"

local Queue = {}
Queue.__index = Queue

function Queue.new()
  return setmetatable({ first = 1, last = 0, takers = {} }, Queue)
end

function Queue:push(item)
  local taker = table.remove(self.takers, 1)
  if taker then return taker(item) end
  self.last = self.last + 1
  self[self.last] = item
end

-- What the next take would get at once, if anything.
function Queue:peek()
  return self[self.first]
end

-- Awaits the next item; nil once the queue is closed.
function Queue:take()
  local item = self:peek()
  if item == nil then
    if self.is_closed then return nil end
    local promise, taker = lunette.Promise.withResolvers()
    table.insert(self.takers, taker)
    return promise:await()
  end
  self[self.first] = nil
  self.first = self.first + 1
  return item
end

-- Nothing is pushed any more: whoever waits gets nil.
function Queue:close()
  self.is_closed = true
  for _, taker in ipairs(self.takers) do
    taker(nil)
  end
  self.takers = {}
end

return Queue
