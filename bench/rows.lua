-- SPDX-License-Identifier: MIT
-- The goals: which figure is compared with which, and what it should come to.
local jobs = require "jobs"

local ONE <const>, TWO <const>, FREE <const> = jobs.ONE_CORE, jobs.TWO_CORES, jobs.FREE

local function ours(metric, place, field)
  return { "Lunette", metric, place or FREE, field }
end

local function bare(metric, place, field)
  return { "C", metric, place or FREE, field }
end

local function thread(metric, place)
  return { "Lunette, thread", metric, place or FREE }
end

local function floor(metric)
  return { "C + Lua, static", metric, FREE }
end

-- title; value [over base | minus base]; at_most or at_least; best: of the rounds, not the median.
return {
  { title = "invoke round trip, one core", to = "C libuv ping-pong",
    value = ours("rtt_us", ONE), over = bare("rtt_us", ONE), at_most = 1.2 },
  { title = "its 99th percentile", to = "C's",
    value = ours("rtt_us", ONE, "p99"), over = bare("rtt_us", ONE, "p99"), at_most = 1.6 },
  { title = "invoke from a sandbox, both waiting in epoll", to = "without a sandbox",
    value = ours("contained_us", ONE), over = ours("free_us", ONE), at_most = 1.03 },
  { title = "two cores, `--poll=50`", to = "C libuv ping-pong",
    value = { "Lunette, polling", "rtt_us", TWO }, over = bare("rtt_us", TWO), at_most = 0.3 },
  { title = "two cores, without", to = "C libuv ping-pong",
    value = ours("rtt_us", TWO), over = bare("rtt_us", TWO) },
  { title = "sendSync, one core", to = "C blocking caller",
    value = ours("sync_us", ONE), over = bare("sync_us", ONE), at_most = 1.2 },
  { title = "invokes a second, 1,000 open", to = "C + Lua floor", best = true, rate = true,
    value = ours "pipelined_per_s", over = floor "pipelined_per_s", at_least = 0.85 },
  { title = "sends a second", to = "C + Lua floor", best = true, rate = true,
    value = ours "oneway_per_s", over = floor "oneway_per_s", at_least = 0.85 },
  { title = "1 MiB string echoed", to = "C libuv pipe",
    value = ours "mib_echo_us", over = bare "mib_echo_us", at_most = 0.63 },
  { title = "spawn to first message", to = "C + Lua process",
    value = ours "spawn_ms", over = { "C + Lua", "spawn_ms", FREE }, at_most = 0.8 },
  { title = "the same with `--no-zygote`", to = "C + Lua process",
    value = { "Lunette, no zygote", "spawn_ms", FREE }, over = { "C + Lua", "spawn_ms", FREE },
    at_most = 2 },
  { title = "spawn, with the zygote", to = "C + Lua, linked statically",
    value = ours "spawn_ms", over = floor "spawn_ms" },
  { title = "idle memory (PSS, 10 alive)", to = "C + Lua process",
    value = ours "pss_kib", over = { "C + Lua", "pss_kib", FREE }, at_most = 1.3 },
  { title = "100 renderers saturated, total", to = "10 renderers", best = true, rate = true,
    value = ours "fan100_per_s", over = ours "fan10_per_s", at_least = 0.95 },
  { title = "100 renderers, 100 invokes/s each: CPU", to = "C",
    value = ours "paced100_cpu_us", over = bare "paced100_cpu_us", at_most = 1.25 },
  { title = "its 99th percentile", to = "C's",
    value = ours("paced100_us", FREE, "p99"), over = bare("paced100_us", FREE, "p99"),
    at_most = 1.5 },
  { title = "on a thread: invoke round trip, one core", to = "C, eventfds",
    value = thread("rtt_us", ONE), over = { "C threads", "rtt_us", ONE }, at_most = 1.3 },
  { title = "on a thread: 1 MiB string echoed", to = "memcpy",
    value = thread "mib_echo_us", over = bare "mib_copy_us", at_most = 5 },
  { title = "on a thread: spawn to first message", to = "C + Lua thread",
    value = thread "spawn_ms", over = { "C threads", "spawn_ms", FREE }, at_most = 1.3 },
  { title = "the same, windows 5 ms apart", to = "C + Lua thread",
    value = thread "spawn_apart_ms", over = { "C threads", "spawn_apart_ms", FREE } },
  { title = "on a thread: idle memory (PSS, 10 alive)", to = "C + Lua thread",
    value = thread "pss_kib", over = { "C threads", "pss_kib", FREE }, at_most = 1.3 },
  { title = "codec, small", to = "lua-cjson",
    value = ours("codec_small_us", ONE), over = ours("cjson_small_us", ONE), at_most = 0.39 },
  { title = "codec, medium", to = "lua-cjson",
    value = ours("codec_medium_us", ONE), over = ours("cjson_medium_us", ONE), at_most = 0.5 },
  { title = "codec, large", to = "lua-cjson",
    value = ours("codec_large_us", ONE), over = ours("cjson_large_us", ONE), at_most = 0.54 },
  { title = "codec, 1 MiB string, as in a link", to = "memcpy",
    value = floor "codec_mib_us", over = bare "mib_copy_us", at_most = 3 },
  { title = "loop stall of opening a window, host of 512 MB", unit = "ms",
    value = ours "stall_ms", at_most = 0.3 },
  { title = "`lunette --version`", to = "`lua5.4 -v`",
    value = ours "version_ms", over = { "lua5.4", "version_ms", FREE }, at_most = 1.3 },
  { title = "hello world, longer than `lua5.4 hello.lua`", unit = "ms",
    value = ours "hello_ms", minus = { "lua5.4", "hello_ms", FREE }, at_most = 3 },
  { title = "`lunette test`, eight files of specs", to = "one after the other",
    value = ours "suite_ms", over = { "busted, serial", "suite_ms", FREE }, at_most = 0.59 },
  { title = "1,000 renderers, until each has answered", unit = "ms",
    value = ours "thousand_ms", at_most = 1000 },
  { title = "1,000 renderers, main and zygote: PSS", unit = "MiB",
    value = ours "thousand_mib", at_most = 250 },
  { title = "invoke after a message of 32 MiB, one core", to = "before",
    value = ours("after_large_us", ONE), over = ours("before_large_us", ONE), at_most = 1.1 },
  { title = "main's memory after a burst", to = "at its peak",
    value = ours "burst_left_mib", over = ours "burst_peak_mib", at_most = 0.25 },
  { title = "p99 while another renderer floods", to = "quiet",
    value = ours("flood_us", FREE, "p99"), over = ours("quiet_us", FREE, "p99"), at_most = 2 },
  { title = "a pump with nothing to do", unit = "us", value = ours "pump_idle_us", at_most = 0.5 },
  { title = "a pump of 2 ms, eight renderers flood", unit = "ms",
    value = ours "flood_pump_ms", at_most = 2.1 },
  { title = "its worst of 600, best round", unit = "ms", best = true,
    value = ours "flood_pump_worst_ms", at_most = 4 },
  { title = "its worst, processor time", unit = "ms", value = ours "flood_pump_worst_cpu_ms",
    at_most = 4 },
  { title = "the least served of the eight", to = "all", value = ours "flood_fairness",
    at_least = 0.9 },
  { title = "the collector's share of a frame, 50 MB live: worst of 3,000", unit = "ms",
    value = ours "collect_worst_ms", at_most = 1 },
  { title = "p99 while another renderer computes", to = "quiet",
    value = ours("spin_us", FREE, "p99"), over = ours("quiet_us", FREE, "p99") },
}
