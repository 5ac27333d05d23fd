// What all benchmarks share: a product to measure, its API, its stream, and a table of figures. Everything is
// measured from outside, over HTTP and the WebSocket, on this machine.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');
export const binary = process.env.TROUPE_BIN ?? join(target, 'release/troupe');
const site = process.env.TROUPE_SITE ?? join(target, 'site');
export const scratch = mkdtempSync(join(tmpdir(), 'troupe-bench-'));

export const quantile = (numbers, q) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
};
export const median = (numbers) => quantile(numbers, 0.5);
export const now = () => performance.timeOrigin + performance.now();
export const pause = (ms) => new Promise((next) => setTimeout(next, ms));

export const freePort = () =>
  new Promise((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });

/** Starts the product and waits until it says that it is ready; `readyMs` counts from exec. */
export async function start(data, more = {}) {
  const port = await freePort();
  const began = now();
  const child = spawn(binary, ['serve', '--addr', `127.0.0.1:${port}`, '--data', data], {
    env: { PATH: process.env.PATH, HOME: scratch, TROUPE_SITE: site, TROUPE_REHEARSAL_TPS: '0', TROUPE_LOG: 'warn', ...more },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const url = `http://127.0.0.1:${port}`;
  for (;;) {
    try {
      if ((await fetch(`${url}/readyz`)).ok) break;
    } catch {
      if (child.exitCode !== null) throw new Error(`the server ended with status ${child.exitCode}`);
    }
    await pause(2);
  }
  const end = (signal) => new Promise((done) => (child.once('exit', done), child.kill(signal)));
  return {
    url,
    ws: `ws://127.0.0.1:${port}/ws/events`,
    pid: child.pid,
    began,
    readyMs: now() - began,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

export async function api(server, method, path, body) {
  const answer = await fetch(`${server.url}/api/v1${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** Listens to events; `ended(run)` resolves with the moment at which its end was received. */
export async function listen(server, topics = 'workflow.*.events,agent.*') {
  const latencies = [];
  const waiting = new Map();
  const seen = new Map();
  const socket = new WebSocket(`${server.ws}?topics=${topics}`);
  socket.onmessage = ({ data }) => {
    const at = now();
    const frame = JSON.parse(data);
    if (frame.kind !== 'event') return;
    latencies.push(at - frame.at);
    if (/^workflow\.(completed|failed)$/.test(frame.type)) {
      const end = { at, ok: frame.type === 'workflow.completed' };
      seen.set(frame.run_id, end);
      waiting.get(frame.run_id)?.(end);
    }
  };
  await new Promise((open, fail) => ((socket.onopen = open), (socket.onerror = fail)));
  const ended = (run) => (seen.has(run) ? seen.get(run) : new Promise((done) => waiting.set(run, done)));
  return { latencies, ended, close: () => socket.close() };
}

/** Waits until no run is on its way: asks the store, not the figures, which are those of up to 2 s ago. */
export async function drained(server) {
  for (const status of ['queued', 'running']) {
    while ((await api(server, 'GET', `/runs?status=${status}&limit=1`)).items.length > 0) await pause(5);
  }
}

/** Memory in MB: `VmRSS` is that of now, `VmHWM` the most there ever was. */
export const memoryMb = (pid, which = 'VmRSS') =>
  Number(new RegExp(`${which}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

const rows = [];

/** One figure, with the bar that it has to pass. */
export function row(what, figure, bar) {
  rows.push({ what, figure, bar });
  console.log(`  ${what}: ${figure} (bar: ${bar})`);
}

/** All figures so far, as a Markdown table. */
export function table() {
  return ['| What | Figure | Bar |', '|---|---|---|', ...rows.map(({ what, figure, bar }) => `| ${what} | ${figure} | ${bar} |`)].join('\n');
}

/** A chain of templates, each of which takes over what stands before it. */
export const chain = (steps) => ({
  troupe: 1,
  name: `Chain of ${steps}`,
  nodes: Array.from({ length: steps }, (_, at) => ({
    id: `s${at}`,
    kind: 'transform',
    template: at === 0 ? 'x' : `{{ nodes.s${at - 1}.output }}`,
  })),
  edges: Array.from({ length: steps - 1 }, (_, at) => ({ from: `s${at}`, to: `s${at + 1}` })),
});

/** Two branches of two steps between a begin and an end. */
export const diamond = {
  troupe: 1,
  name: 'Six steps',
  nodes: ['a', 'b1', 'b2', 'c1', 'c2', 'd'].map((id) => ({ id, kind: 'transform', template: id })),
  edges: [['a', 'b1'], ['a', 'c1'], ['b1', 'b2'], ['c1', 'c2'], ['b2', 'd'], ['c2', 'd']].map(([from, to]) => ({ from, to })),
};
