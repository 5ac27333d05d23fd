// Benchmarks of the release build: `./x bench`. Every figure is measured from outside, over HTTP and the
// WebSocket, on this machine; medians unless the row says otherwise. Nothing here can fail a build.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, loadavg, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

if (typeof WebSocket === 'undefined') {
  const flags = ['--experimental-websocket', '--no-warnings', ...process.argv.slice(1)];
  process.exit(spawnSync(process.execPath, flags, { stdio: 'inherit' }).status ?? 1);
}

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');
const binary = process.env.TROUPE_BIN ?? join(target, 'release/troupe');
const site = process.env.TROUPE_SITE ?? join(target, 'site');
const scratch = mkdtempSync(join(tmpdir(), 'troupe-bench-'));

const median = (numbers) => quantile(numbers, 0.5);
const quantile = (numbers, q) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
};
const now = () => performance.timeOrigin + performance.now();

const freePort = () =>
  new Promise((done) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });

/** Starts the product and waits until it says that it is ready; `readyMs` counts from exec. */
async function start(data) {
  const port = await freePort();
  const began = now();
  const child = spawn(binary, ['serve', '--addr', `127.0.0.1:${port}`, '--data', data], {
    env: { PATH: process.env.PATH, HOME: scratch, TROUPE_SITE: site, TROUPE_REHEARSAL_TPS: '0', TROUPE_LOG: 'warn' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const url = `http://127.0.0.1:${port}`;
  for (;;) {
    try {
      if ((await fetch(`${url}/readyz`)).ok) break;
    } catch {
      if (child.exitCode !== null) throw new Error(`the server ended with status ${child.exitCode}`);
    }
    await new Promise((next) => setTimeout(next, 2));
  }
  const readyMs = now() - began;
  const stop = () => new Promise((done) => (child.once('exit', done), child.kill('SIGTERM')));
  return { url, ws: `ws://127.0.0.1:${port}/ws/events`, pid: child.pid, readyMs, stop };
}

async function api(server, method, path, body) {
  const answer = await fetch(`${server.url}/api/v1${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** Listens to all events; `ended(run)` resolves with the moment at which its end was received. */
async function listen(server) {
  const latencies = [];
  const waiting = new Map();
  const seen = new Map();
  const socket = new WebSocket(`${server.ws}?topics=workflow.*.events,agent.*`);
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

const chain = (steps) => ({
  troupe: 1,
  name: `Chain of ${steps}`,
  nodes: Array.from({ length: steps }, (_, at) => ({
    id: `s${at}`,
    kind: 'transform',
    template: at === 0 ? 'x' : `{{ nodes.s${at - 1}.output }}`,
  })),
  edges: Array.from({ length: steps - 1 }, (_, at) => ({ from: `s${at}`, to: `s${at + 1}` })),
});

const residentMb = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

async function encodedBytes(url) {
  const answer = await fetch(url, { headers: { 'accept-encoding': 'br' } });
  const length = answer.headers.get('content-length');
  const text = await answer.text();
  // Streamed answers have no length: what the client decoded is then an upper bound.
  return { bytes: Number(length ?? Buffer.byteLength(text)), text };
}

const rows = [];
const row = (what, figure, bar) => {
  rows.push({ what, figure, bar });
  console.log(`  ${what}: ${figure} (bar: ${bar})`);
};

try {
  console.log(`${cpus().length} cores, load ${loadavg()[0].toFixed(1)}, ${binary}`);

  const starts = [];
  for (let at = 0; at < 5; at += 1) {
    const server = await start(join(scratch, `empty-${at}`));
    starts.push(server.readyMs);
    await server.stop();
  }
  row('ready after exec, empty database', `${median(starts).toFixed(0)} ms`, '≤ 200 ms');

  const data = join(scratch, 'full');
  let server = await start(data);
  await new Promise((next) => setTimeout(next, 3_000));
  row('idle resident memory', `${residentMb(server.pid).toFixed(1)} MB`, '≤ 40 MB');

  let stream = await listen(server);
  const { id } = await api(server, 'POST', '/workflows', chain(40));
  const perStep = [];
  for (let at = 0; at < 60; at += 1) {
    const began = now();
    const run = await api(server, 'POST', `/workflows/${id}/runs`, { input: {} });
    const end = await stream.ended(run.id);
    if (!end.ok) throw new Error('a chain failed');
    if (at >= 10) perStep.push((end.at - began) / 40);
  }
  row('a step of a 40-step chain, durable, from HTTP request to end received', `${median(perStep).toFixed(3)} ms`, '≤ 1 ms');
  stream.close();

  stream = await listen(server);
  const { items } = await api(server, 'GET', '/workflows?limit=100');
  const experts = items.find((item) => item.name.startsWith('Three experts'));
  for (let at = 0; at < 60; at += 1) {
    const run = await api(server, 'POST', `/workflows/${experts.id}/runs`, { input: {} });
    await stream.ended(run.id);
  }
  const p = (q) => `${quantile(stream.latencies, q).toFixed(1)} ms`;
  row('event: decided (its commit included) to frame received, p50 / p99', `${p(0.5)} / ${p(0.99)}`, 'p99 ≤ 20 ms');
  stream.close();

  for (let at = 0; at < 1_000; at += 50) {
    const batch = Array.from({ length: 50 }, () => api(server, 'POST', `/workflows/${id}/runs`, { input: {} }));
    await Promise.all(batch);
  }
  const page = await encodedBytes(`${server.url}/`);
  const files = [...new Set([...page.text.matchAll(/\/pkg\/[\w.-]+\.(?:js|wasm|css)/g)].map(([path]) => path))];
  let sum = page.bytes;
  for (const path of files) sum += (await encodedBytes(server.url + path)).bytes;
  row(`transferred to first interactive page (${files.length} files, brotli, and the page itself)`, `${(sum / 1000).toFixed(0)} kB`, '≤ 700 kB');
  const paints = [];
  for (let at = 0; at < 30; at += 1) {
    const began = now();
    await (await fetch(`${server.url}/`)).text();
    paints.push(now() - began);
  }
  row('server-rendered home page, whole', `${median(paints).toFixed(1)} ms`, 'does not wait for the WASM');
  await server.stop();

  const full = [];
  for (let at = 0; at < 5; at += 1) {
    server = await start(data);
    full.push(server.readyMs);
    await server.stop();
  }
  row('ready after exec, over 1,000 finished runs', `${median(full).toFixed(0)} ms`, '≤ 500 ms');

  console.log('\n| What | Figure | Bar |\n|---|---|---|');
  for (const { what, figure, bar } of rows) console.log(`| ${what} | ${figure} | ${bar} |`);
  console.log('\nMade with `./x bench`.');
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
