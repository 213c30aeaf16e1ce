-- SPDX-License-Identifier: MIT
--- One end's count of a link: numbers what it sends, and checks what comes.
local Tally = {}
Tally.__index = Tally

--- `fault(text)` is called for each breach of the order.
---@param fault fun(text: string)
function Tally.new(fault)
  return setmetatable({ fault = fault, sent = 0, came = 0, open = 0, answered = 0 }, Tally)
end

--- The other end's message `number` is being handled: it is the one behind the last.
---@param number integer
function Tally:handle(number)
  if number ~= self.came + 1 then
    self.fault(("message %d came behind %d"):format(number, self.came))
  end
  self.came = number
end

--- Sends what send(number) does, unless that raises: then nothing was sent.
---@param send fun(number: integer): any
---@return any what send returns; nil and the error when it raised
function Tally:send(send)
  local ok, result = pcall(send, self.sent + 1)
  if not ok then return nil, result end
  self.sent = self.sent + 1
  return result
end

--- An answer to our message `number` is on its way.
function Tally:ask()
  self.open = self.open + 1
end

--- That answer has come. Those that are given at once come in the order of the questions.
---@param number integer
---@param is_late boolean? whether it is one that may come later than others
function Tally:answer(number, is_late)
  self.open = self.open - 1
  if is_late then return end
  if math.type(number) ~= "integer" or number <= self.answered or number > self.sent then
    self.fault(("answer %s came behind %d of %d"):format(number, self.answered, self.sent))
    return
  end
  self.answered = number
end

return Tally
