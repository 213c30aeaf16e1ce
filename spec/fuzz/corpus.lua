-- SPDX-License-Identifier: MIT
-- Writes the seeds of the fuzz targets, from which libFuzzer starts: packets, bodies and texts,
-- most of them good.
--   build/release/lunette spec/fuzz/corpus.lua
package.path = "./?.lua;" .. package.path
local wire = require "spec.support.wire"

local FOLDER <const> = "spec/fuzz/corpus/"

local function write(target, name, bytes)
  local file <close> = assert(io.open(FOLDER .. target .. "/" .. name, "wb"))
  file:write(bytes)
end

-- Values of every kind of tag.
local shared, cyclic, deep, wide, records = { 1 }, {}, {}, {}, {}
cyclic.self, cyclic[1] = cyclic, { cyclic }
for _ = 1, 30 do deep = { deep, x = deep } end
for i = 1, 40 do wide["key" .. i] = i end
for i = 1, 8 do records[i] = { name = "n" .. i, size = i * 1000, list = { i, "x" } } end
local null = require("lunette").null

local values <const> = {
  none = {},
  scalars = { nil, true, false, 0, -9, 55, 1 << 40, math.mininteger, 0.5, -0.0, 1 / 0, null },
  strings = { "", "short", ("long"):rep(30), "\0\255" },
  lists = { {}, { 1, 2, 3 }, { 1, nil, 3 }, { { {} } } },
  keys = { wide, { [1.5] = 1, [true] = 2, [{}] = 3, [-1] = 4, [1 << 60] = 5 } },
  records = { records },
  shared = { shared, { shared, shared }, cyclic },
  deep = { deep },
}
values.scalars.n = 12

local bodies = {}
for name, list in pairs(values) do
  bodies[name] = wire.body(table.unpack(list, 1, list.n or #list))
end
bodies.proxy = "\0\1\xa7\1\1"
bodies.empty_tables = "\0\1\xc0\x40" .. ("\xc0\0"):rep(64)
bodies.shared_tables = "\x80\1\xc0\x40" .. ("\xe0\0"):rep(64)
bodies.string_shared = "\0\2\xa9\0\x41\xa9\xbf\x1f\x41"
bodies.slots = "\0\1\xc6\0\x41a\1\xa8" .. ("x"):rep(64)

for name, body in pairs(bodies) do
  write("clone", name, "\0" .. body)
  write("clone", name .. "_hooks", "\1" .. body)
end

write("clone", "string_sharing", "\8" .. bodies.string_shared)

local texts <const> = {
  scalars = '[null,true,false,0,-1,1.5,1e5,-0.0,9007199254740992,"text"]',
  strings = [=[["","\u00e9\n\\\"\ud83d\ude00é","a b"]]=],
  tables = '[{},[],[[]],{"a":{"b":[1,{"c":null}]}},[ \t\n]]',
  spaces = ' [ 1 , 2 ]\r\n',
  deep = ("["):rep(40) .. ("]"):rep(40),
  inexact = "[9007199254740993]",
  dots = "[1.,2]",
  many = "[" .. ("0,"):rep(100) .. "0]",
}
for name, text in pairs(texts) do write("json", name, text) end

local INTERNAL <const>, JSON <const>, ERROR <const> = wire.INTERNAL, wire.JSON, wire.ERROR
local hello <const> = wire.packet(wire.HELLO, { id = wire.VERSION })
local boot <const> = wire.packet(wire.BOOT, { body = wire.body { limits = {} } })

-- Sessions: the packets behind a greeting, by the end that they are for.
local function packet(kind, id, channel, flags, body)
  return wire.packet(kind, { id = id, channel = channel, flags = flags, body = body })
end
local questions, replies = {}, {}
for i, channel in ipairs { "a", "b", "c", "d", "e", "f", "g" } do
  questions[i] = packet(wire.INVOKE, i, channel, 0, wire.body(i, { channel }))
end
for id = 1, 3 do replies[id] = packet(wire.REPLY, id, "", 0, wire.body("answer", id)) end
local error_body <const> = wire.body { message = "no", name = "E", traceback = "t", code = 5 }
local sessions <const> = {
  messages = packet(wire.MESSAGE, 0, "a", 0, bodies.records) .. packet(wire.MESSAGE, 0, "c"),
  questions = table.concat(questions) .. packet(wire.CANCEL, 5, ""),
  replies = table.concat(replies),
  errors = packet(wire.REPLY, 1, "", ERROR, error_body) .. packet(wire.REPLY, 3, "", ERROR),
  json = packet(wire.MESSAGE, 0, "a", JSON, texts.tables)
    .. packet(wire.INVOKE, 1, "a", JSON, "[1]") .. packet(wire.REPLY, 1, "", JSON, "[2]"),
  internal = packet(wire.MESSAGE, 0, "note", INTERNAL)
    .. packet(wire.INVOKE, 1, "echo", INTERNAL, bodies.lists)
    .. packet(wire.INVOKE, 2, "bad", INTERNAL),
  replayed = packet(wire.INVOKE, 1, "c") .. packet(wire.INVOKE, 1, "c"),
  sync = packet(wire.SYNC, 1, "a", 0, wire.body(1)) .. packet(wire.SYNC, 2, "b"),
  send_to = packet(wire.SEND_TO, 1, "x", 0, wire.body(1)),
  answered_sync = packet(wire.MESSAGE, 0, "a") .. packet(wire.REPLY, 4, "", 0, wire.body(7)),
  upgrade = packet(wire.UPGRADE, 0, "") .. packet(wire.UPGRADE, 0, ""),
  sharing = packet(wire.MESSAGE, 0, "a", wire.SHARED, wire.body(1) .. ("\1"):rep(8)),
  lies = wire.packet(wire.MESSAGE, { channel = "a", size = 1 << 20 }),
}
for name, packets in pairs(sessions) do
  write("link", "main_" .. name, "\0\0" .. hello .. packets)
  write("link", "renderer_" .. name, "\1\7" .. boot .. packets)
  write("link", "blocked_" .. name, "\11\0" .. boot .. packets)
  write("packet", name, "\6\0" .. hello .. packets)
end
