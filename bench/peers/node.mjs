// SPDX-License-Identifier: MIT
// Node with child processes (`fork`) and with worker_threads: the child asks, the parent answers.
//   node node.mjs fork|thread rtt|sync|full|spawn
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker, isMainThread, parentPort, receiveMessageOnPort, workerData, MessageChannel }
  from 'node:worker_threads';

const FILE = fileURLToPath(import.meta.url);
const LOGIN = { email: 'a@b.c', password: 'secret', n: 42 };
const SCALE = Number(process.env.BENCH_SCALE ?? 1);
const SPAWNS = 8, IDLE = 10, OPEN = 1000, MIB = 1 << 20;

const scaled = (count) => Math.max(Math.floor(count * SCALE), 5);
const now = () => performance.now() * 1e3;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const stats = (samples) => {
  samples.sort((a, b) => a - b);
  const at = (part) => samples[Math.floor(samples.length * part)];
  return { v: at(0.5), min: samples[0], p99: at(0.99) };
};
const emit = (metric, values) =>
  console.log(JSON.stringify({ c: process.env.BENCH_NAME, m: metric, ...values }));

const handlers = {
  login: async () => ({ ok: true, id: 7 }),
  echo: async (text) => text,
  log: async () => {},
};

// ---- the child ----

function caller(post) {
  const waiting = new Map();
  let nextId = 0;
  return {
    send: (channel, value) => post({ channel, value }),
    invoke: (channel, value) => new Promise((resolve) => {
      waiting.set(++nextId, resolve);
      post({ id: nextId, channel, value });
    }),
    answer({ id, value }) {
      waiting.get(id)(value);
      waiting.delete(id);
    },
  };
}

async function sample(fn, warmUp, count) {
  const samples = [];
  for (let i = -warmUp; i < count; i++) {
    const begun = now();
    await fn();
    if (i >= 0) samples.push(now() - begun);
  }
  return stats(samples);
}

async function pipelined(ipc, messages) {
  let left = messages;
  const begun = now();
  await Promise.all(Array.from({ length: OPEN }, async () => {
    while (left-- > 0) await ipc.invoke('login', LOGIN);
  }));
  return { v: messages / (now() - begun) * 1e6 };
}

async function oneway(ipc, messages) {
  const begun = now();
  for (let i = 1; i <= messages; i++) {
    ipc.send('log', LOGIN);
    if (i % OPEN === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await ipc.invoke('login', LOGIN);
  return { v: messages / (now() - begun) * 1e6 };
}

const modes = {
  rtt: async (ipc) => ({
    rtt_us: await sample(() => ipc.invoke('login', LOGIN), 2000, scaled(20000)),
  }),
  async full(ipc) {
    const text = 'x'.repeat(MIB);
    return {
      pipelined_per_s: await pipelined(ipc, scaled(60000)),
      oneway_per_s: await oneway(ipc, scaled(60000)),
      mib_echo_us: await sample(() => ipc.invoke('echo', text), 2, scaled(20)),
    };
  },
};

function runChild(mode, post, listen) {
  const ipc = caller(post);
  listen((message) => ipc.answer(message));
  post({ first: true });
  modes[mode]?.(ipc).then((results) => post({ results }));
}

// A worker that sleeps on a word of shared memory until its answer is there.
async function runSyncChild({ port, memory }) {
  const word = new Int32Array(memory);
  const results = { sync_us: await sample(() => {
    Atomics.store(word, 0, 0);
    port.postMessage({ id: 1, channel: 'login', value: LOGIN });
    Atomics.wait(word, 0, 0);
    if (!receiveMessageOnPort(port).message.ok) throw new Error('no answer');
  }, 2000, scaled(20000)) };
  port.postMessage({ results });
}

// ---- the parent ----

const starters = {
  fork(mode, onMessage) {
    const child = fork(FILE, ['child', mode]);
    child.on('message', onMessage);
    const ended = new Promise((resolve) => child.on('exit', resolve));
    const stop = () => (child.kill('SIGKILL'), ended);
    return { post: (message) => child.send(message), pid: child.pid, stop };
  },
  thread(mode, onMessage) {
    const worker = new Worker(FILE, { workerData: { mode } });
    worker.on('message', onMessage);
    return { post: (message) => worker.postMessage(message), stop: () => worker.terminate() };
  },
};

function open(transport, mode) {
  const child = {};
  child.first = new Promise((resolve) => { child.onFirst = resolve; });
  child.results = new Promise((resolve) => { child.onResults = resolve; });
  Object.assign(child, starters[transport](mode, async (message) => {
    if (message.first) child.onFirst();
    else if (message.results) child.onResults(message.results);
    else {
      const value = await handlers[message.channel](message.value);
      if (message.id) child.post({ id: message.id, value });
    }
  }));
  return child;
}

const pss = (pid) => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]);

async function measureSpawns(transport) {
  const samples = [];
  for (let i = 0; i < scaled(SPAWNS); i++) {
    const begun = now();
    const child = open(transport, 'spawn');
    await child.first;
    samples.push((now() - begun) / 1e3);
    await child.stop();
  }
  emit('spawn_ms', stats(samples));
}

// For threads: what the process grew by.
async function measureMemory(transport) {
  const before = pss(process.pid), children = [];
  for (let i = 0; i < IDLE; i++) children.push(open(transport, 'spawn'));
  await Promise.all(children.map((child) => child.first));
  await pause(200);
  const own = (pss(process.pid) - before) / IDLE;
  const sum = children.reduce((total, child) => total + (child.pid ? pss(child.pid) : own), 0);
  emit('pss_kib', { v: sum / IDLE });
  for (const child of children) await child.stop();
}

async function answerSync() {
  const memory = new SharedArrayBuffer(4), word = new Int32Array(memory);
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(FILE, { workerData: { port: port2, memory }, transferList: [port2] });
  const results = await new Promise((resolve) => port1.on('message', async (message) => {
    if (message.results) return resolve(message.results);
    port1.postMessage(await handlers[message.channel](message.value));
    Atomics.store(word, 0, 1);
    Atomics.notify(word, 0);
  }));
  emit('sync_us', results.sync_us);
  await worker.terminate();
}

async function runParent(transport, mode) {
  if (mode === 'spawn') {
    await measureSpawns(transport);
    await measureMemory(transport);
  } else if (mode === 'sync') {
    await answerSync();
  } else {
    const child = open(transport, mode);
    for (const [metric, values] of Object.entries(await child.results)) emit(metric, values);
    await child.stop();
  }
  process.exit(0);
}

if (!isMainThread && workerData.memory) {
  runSyncChild(workerData);
} else if (!isMainThread) {
  runChild(workerData.mode, (m) => parentPort.postMessage(m), (fn) => parentPort.on('message', fn));
} else if (process.argv[2] === 'child') {
  process.on('disconnect', () => process.exit(0));
  runChild(process.argv[3], (m) => process.send(m), (fn) => process.on('message', fn));
} else {
  runParent(process.argv[2], process.argv[3]);
}
