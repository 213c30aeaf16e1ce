-- SPDX-License-Identifier: MIT
-- lunette.json, and the argument lists of links whose codec is "json".
local import = require "spec.support.import"
local json = import "common.json"
local cjson = import "core.cjson"

local here = debug.getinfo(1, "S").short_src
local MAX <const> = 1 << 53

local function message_of(fn, ...)
  local arguments = table.pack(...)
  local ok, message = pcall(function()
    local result = fn(table.unpack(arguments, 1, arguments.n))
    return result
  end)
  assert.is_false(ok)
  assert.equal(here, message:match("^(.-):%d+: "))
  return (message:gsub("^.-:%d+: ", ""))
end

local function refusal_of(value)
  return message_of(json.encode, value):match("^could not encode argument 1(.*)$")
end

-- As == does, but an integer is not a float, and -0.0 not 0.0.
local function assert_identical(expected, value)
  assert.equal(math.type(expected), math.type(value))
  assert.equal(("%q"):format(expected), ("%q"):format(value))
end

local function deep_list(depth)
  local list = {}
  for _ = 2, depth do list = { list } end
  return list
end

describe("json.encode", function()
  it("writes what JSON has", function()
    local cases = {
      { nil, "null" }, { json.null, "null" }, { true, "true" }, { false, "false" }, { "a", '"a"' },
      { {}, "{}" }, { { 1, 2 }, "[1,2]" }, { { a = 1 }, '{"a":1}' }, { { { {} } }, "[[{}]]" },
      { json.array(), "[]" }, { { a = json.array {} }, '{"a":[]}' }, { json.array { 1 }, "[1]" },
      { { json.null, false }, "[null,false]" }, { { [""] = 1 }, '{"":1}' },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[2], json.encode(case[1]))
    end
  end)

  it("writes numbers so that they read as the same", function()
    local cases = {
      { 0, "0" }, { -1, "-1" }, { 3.0, "3" }, { -0.0, "-0.0" }, { 0.1, "0.1" }, { 0.5, "0.5" },
      { 0.1 + 0.2, "0.30000000000000004" }, { 1e100, "1e+100" }, { 1e15, "1000000000000000" },
      { MAX, "9007199254740992" }, { -MAX, "-9007199254740992" }, { 2.0 ^ 53, "9007199254740992" },
      { 2.0 ^ 54, "18014398509481984.0" }, { 1e17, "1e+17" }, { 5e-324, "4.94065645841247e-324" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[2], json.encode(case[1]))
    end
  end)

  it("escapes strings", function()
    for _, text in ipairs { '"', "\\", "/", "\0", "\n\t\1\31\127", "é€😀", "a\u{2028}b" } do
      assert.equal(text, json.decode(json.encode(text)))
      assert.equal(1, json.decode(json.encode({ [text] = 1 }))[text])
    end
    assert.equal('"\\u0000\\n"', json.encode("\0\n"))
  end)

  it("ignores metatables", function()
    local function fail() error("called") end
    local hostile = setmetatable({ a = 1 },
      { __index = fail, __pairs = fail, __len = fail, __eq = fail })
    assert.equal('{"a":1}', json.encode(hostile))
  end)

  it("writes a shared table twice", function()
    local shared = { 1 }
    assert.equal("[[1],[1]]", json.encode({ shared, shared }))
  end)

  it("refuses numbers that JSON has not, or not exactly", function()
    assert.equal(": 9007199254740993 is beyond 2^53, where JSON's numbers are not exact",
      refusal_of(MAX + 1))
    assert.equal(".n: -9007199254740993 is beyond 2^53, where JSON's numbers are not exact",
      refusal_of({ n = -MAX - 1 }))
    assert.equal("[2]: JSON has no NaN", refusal_of({ 1, 0 / 0 }))
    assert.equal(".a.b: JSON has no infinity", refusal_of({ a = { b = -math.huge } }))
    assert.is_string(refusal_of(math.mininteger))
  end)

  it("refuses what cannot be sent, and names its place", function()
    assert.equal(": a function cannot be sent", refusal_of(print))
    assert.equal(".user.onSave: a function cannot be sent",
      refusal_of({ user = { onSave = print } }))
    assert.equal(".list[3]: a thread cannot be sent",
      refusal_of({ list = { 1, 2, coroutine.create(print) } }))
    assert.equal('["a b"]["\\010\\"\\\\é"]: a userdata cannot be sent',
      refusal_of({ ["a b"] = { ["\n\"\\é"] = io.stdout } }))
  end)

  it("refuses keys that are not strings", function()
    assert.equal("[true]: a key that is not a string", refusal_of({ [true] = 1 }))
    assert.equal("[2.5]: a key that is not a string", refusal_of({ [2.5] = 1 }))
    assert.equal("[0]: a key that is not a string", refusal_of({ [0] = 1, 2 }))
    assert.equal("[-1]: a key that is not a string", refusal_of({ [-1] = 1, a = 2 }))
    assert.equal("[null]: a key that is not a string", refusal_of({ [json.null] = 1 }))
    assert.equal(".a[a table key]: a key that is not a string", refusal_of({ a = { [{}] = 1 } }))
    assert.equal("[a function key]: a key that is not a string",
      refusal_of({ 1, 2, [print] = 1, x = 1 }))
  end)

  it("refuses lists with holes or with named keys", function()
    assert.equal(".list[3]: a hole in a list", refusal_of({ list = { 1, 2, nil, 4 } }))
    assert.equal("[1]: a hole in a list", refusal_of({ [5] = 1 }))
    assert.equal("[2]: a hole in a list", refusal_of({ 1, [math.maxinteger] = 1 }))
    assert.equal(".a: a list with the key \"name\"", refusal_of({ a = { 1, name = 2 } }))
    assert.equal(": a list with the key \"name\"", refusal_of(json.array { name = 2 }))
  end)

  it("refuses text that is not UTF-8", function()
    assert.equal(".a: text that is not UTF-8 at byte 3", refusal_of({ a = "xx\xFF" }))
    assert.equal(": text that is not UTF-8 at byte 1", refusal_of("\xED\xA0\x80"))
    assert.equal('["a\\255"]: text that is not UTF-8 at byte 2', refusal_of({ ["a\xFF"] = 1 }))
  end)

  it("refuses a table inside itself, but not a table that is there twice", function()
    local cycle = { a = {} }
    cycle.a.b = { cycle }
    assert.equal(".a.b[1]: a table that is inside itself", refusal_of(cycle))
  end)

  it("goes 1000 tables deep and no further", function()
    assert.equal(2000, #json.encode(deep_list(1000)))
    assert.equal(": nested deeper than 1000 tables (limit depth)", refusal_of(deep_list(1001)))
  end)

  it("works after it has refused", function()
    refusal_of({ a = { print } })
    assert.equal('{"a":[1]}', json.encode({ a = { 1 } }))
  end)
end)

describe("json.decode", function()
  it("reads what JSON has", function()
    assert.equal(json.null, json.decode("null"))
    assert.is_true(json.decode(" true "))
    assert.same({ a = { 1, "x", { b = false } } }, json.decode('{"a": [1, "x", {"b": false}]}'))
    assert.equal("😀\0", json.decode('"\\ud83d\\ude00\\u0000"'))
    assert.equal(json.null, json.decode("[null]")[1])
  end)

  it("reads whole numbers as integers", function()
    assert_identical(3, json.decode("3"))
    assert_identical(3, json.decode("3.0"))
    assert_identical(100, json.decode("1e2"))
    assert_identical(-5, json.decode("[-5]")[1])
    assert_identical(MAX, json.decode("9007199254740992"))
    assert_identical(-MAX, json.decode("-9007199254740992"))
    assert_identical(-0.0, json.decode("-0"))
    assert_identical(-0.0, json.decode("-0.0"))
    assert_identical(0, json.decode("0"))
    assert_identical(0.5, json.decode("[[0.5]]")[1][1])
    assert_identical(2.0 ^ 54, json.decode("18014398509481984.0"))
    assert_identical(1e300, json.decode("1e300"))
  end)

  it("brings every float back", function()
    local floats = { 0.1 + 0.2, 1 / 3, 5e-324, 1.7976931348623157e308, 2.0 ^ 53 + 2, 2.0 ^ 63,
      -1e17, 123456789.123 }
    for seed = 1, 200 do
      local bits = (seed * 0x9E3779B97F4A7C15) & 0x7FEFFFFFFFFFFFFF
      floats[#floats + 1] = string.unpack("d", string.pack("I8", bits))
    end
    for _, value in ipairs(floats) do
      local back = json.decode(json.encode({ value }))[1]
      assert.equal(value, back)
      if value % 1 ~= 0 or math.abs(value) > MAX then assert_identical(value, back) end
    end
  end)

  it("refuses numbers that would not be exact", function()
    local text = "could not decode: %s at character %d is beyond 2^53, where numbers are not exact"
    assert.equal(text:format("9007199254740993", 1), message_of(json.decode, "9007199254740993"))
    assert.equal(text:format("-9007199254740993", 9),
      message_of(json.decode, '["1",  \n-9007199254740993]'))
    assert.equal(text:format("12345678901234567890123", 6),
      message_of(json.decode, '{"a":12345678901234567890123}'))
    assert.equal("could not decode: 1e999 at character 2 is beyond all numbers",
      message_of(json.decode, "[1e999]"))
    assert.matches("is beyond all numbers", message_of(json.decode, "[-1E+0400]"))
    assert.same({ "9007199254740993 1e999 1.", "[]" },
      json.decode('["9007199254740993 1e999 1.", "[]"]'))
  end)

  it("refuses what is not JSON", function()
    local texts = {
      "", " ", "tru", "[1", "[1]]", "[1,]", "{1:2}", '{"a":1,}', "[01]", "[+1]", "[.5]", "[1.]",
      "[1.e3]", "[0x10]", "[NaN]", "[nan]", "[Infinity]", "[-inf]", "[-]", "[1-2]", "'a'",
      '"\\x"', '"\\ud800"', "[1]\0", "[1] x",
      "\u{FEFF}[1]", "{a:1}", '"a', '"a\\"', "[[]", "[]]", "1.",
    }
    for _, text in ipairs(texts) do
      assert.matches("^could not decode: ", message_of(json.decode, text))
    end
  end)

  it("says where, also in a text with empty lists", function()
    assert.equal("could not decode: expected the end but found T_ARR_END at character 9",
      message_of(json.decode, "[[], []]]"))
    assert.equal("could not decode: text that is not UTF-8 at character 3",
      message_of(json.decode, '["\xFF"]'))
    assert.equal("could not decode: a zero byte at character 4", message_of(json.decode, "[1]\0"))
  end)

  it("keeps [] and {} apart", function()
    local texts = {
      "[]", "{}", '{"a":[]}', "[[],{},[{}]]", '["[]"]', '{"[]":[[]]}', '["\\"[]",[]]',
    }
    for _, text in ipairs(texts) do
      assert.equal(text, json.encode(json.decode(text)))
    end
    assert.equal("[]", json.encode(json.decode("[ \n\t]")))
    local list = json.decode("[1]")
    table.remove(list)
    assert.equal("[]", json.encode(list))
    assert.same({}, json.decode("[]"))
  end)

  it("goes 1000 tables deep and no further", function()
    assert.is_table(json.decode(("["):rep(1000) .. ("]"):rep(1000)))
    assert.is_table(json.decode(('{"a":'):rep(999) .. "{}" .. ("}"):rep(999)))
    assert.matches("tables", message_of(json.decode, ("["):rep(1001) .. ("]"):rep(1001)))
    assert.matches("tables", message_of(json.decode, ("["):rep(1001) .. "1" .. ("]"):rep(1001)))
    assert.matches("nested", message_of(json.decode, ("["):rep(100000)))
  end)

  it("does not touch the settings of another lua-cjson", function()
    local other = cjson.new()
    other.encode_number_precision(3)
    other.decode_invalid_numbers(true)
    assert.equal("0.12345", json.encode(0.12345))
    assert.is_string(message_of(json.decode, "[NaN]"))
  end)
end)

describe("json", function()
  it("refuses wrong arguments", function()
    assert.equal("bad argument #1 to 'json.decode' (string expected, got nil)",
      message_of(json.decode))
    assert.equal("bad argument #1 to 'json.array' (table or nil expected, got number)",
      message_of(json.array, 1))
    local text = message_of(json.array, setmetatable({}, {}))
    assert.matches("(table without a metatable expected, got one with its own)", text, 1, true)
    assert.equal("json.encode is called with a dot: write json.encode(...), not json:encode(...)",
      message_of(json.encode, json))
  end)

  it("shows users encode, decode, array and null only", function()
    local names = {}
    for name in pairs(json) do names[#names + 1] = name end
    table.sort(names)
    assert.same({ "array", "decode", "encode", "null" }, names)
  end)

  it("marks a table in place, again too", function()
    local list = {}
    assert.equal(list, json.array(json.array(list)))
    assert.equal("[]", json.encode(list))
  end)
end)

describe("json lists", function()
  local function round_trip(...)
    return table.pack(json.decode_list(json.encode_list("argument", ...)))
  end

  it("keep nils, also at the end", function()
    assert.same({ n = 0 }, round_trip())
    assert.same({ n = 1 }, round_trip(nil))
    assert.same({ nil, 1, nil, nil, n = 4 }, round_trip(nil, 1, nil, nil))
    assert.same({ false, "x", { 1 }, n = 3 }, round_trip(false, "x", { 1 }))
  end)

  it("bring null inside of a table back as null", function()
    local got = round_trip({ a = json.null }, { json.null })
    assert.equal(json.null, got[1].a)
    assert.equal(json.null, got[2][1])
  end)

  it("have numbers, lists and the depth of an argument as elsewhere", function()
    local got = round_trip(1, 2.5, -0.0, json.array {})
    assert_identical(1, got[1])
    assert_identical(-0.0, got[3])
    assert.equal("[]", json.encode(got[4]))
    assert.equal(1, round_trip(deep_list(1000)).n)
    local text, reason = json.encode_list("argument", deep_list(1001))
    assert.is_nil(text)
    assert.matches("^could not encode argument 1: nested deeper than 1000 tables", reason)
  end)

  it("name the argument or result that cannot be sent", function()
    assert.same({ nil, "could not encode argument 2.fn: a function cannot be sent" },
      { json.encode_list("argument", 1, { fn = print }) })
    assert.same({ nil, "could not encode result 1: JSON has no NaN" },
      { json.encode_list("result", 0 / 0) })
  end)

  it("are refused when they are no lists", function()
    local deep = ("["):rep(1002) .. ("]"):rep(1002)
    for _, text in ipairs { "{}", "1", "null", "", "[1", '"[]"', '{"1":2}', deep } do
      local ok, message = pcall(json.decode_list, text)
      assert.is_false(ok)
      assert.matches("^could not decode: ", message)
    end
  end)
end)
