// How quickly the product is there: start, memory, a step, an event, the first page.
import { get } from 'node:http';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { api, chain, listen, median, memoryMb, now, pause, quantile, row, scratch, start } from './bench.mjs';

/** What an answer weighs as it travels, and its text. */
const encodedBytes = (url) =>
  new Promise((done, fail) => {
    get(url, { headers: { 'accept-encoding': 'br' } }, (answer) => {
      const pieces = [];
      answer.on('data', (piece) => pieces.push(piece));
      answer.on('error', fail);
      answer.on('end', () => {
        const bytes = Buffer.concat(pieces);
        const plain = answer.headers['content-encoding'] === 'br' ? brotliDecompressSync(bytes) : bytes;
        done({ bytes: bytes.length, text: plain.toString() });
      });
    }).on('error', fail);
  });

export async function pages() {
  const starts = [];
  for (let at = 0; at < 5; at += 1) {
    const server = await start(join(scratch, `empty-${at}`));
    starts.push(server.readyMs);
    await server.stop();
  }
  row('ready after exec, empty database', `${median(starts).toFixed(0)} ms`, '≤ 200 ms');

  const data = join(scratch, 'full');
  let server = await start(data);
  await pause(3_000);
  row('idle resident memory', `${memoryMb(server.pid).toFixed(1)} MB`, '≤ 40 MB');

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
  const files = new Set([...page.text.matchAll(/\/pkg\/[\w.-]+\.(?:js|wasm|css)/g)].map(([path]) => path));
  // What the page's own program fetches before it can run.
  for (const path of [...files].filter((path) => path.endsWith('.js'))) {
    const { text } = await encodedBytes(server.url + path);
    for (const [, name] of text.matchAll(/\bfrom ["']\.\/([\w.-]+\.js)["']/g)) files.add(`/pkg/${name}`);
  }
  let sum = page.bytes;
  for (const path of files) sum += (await encodedBytes(server.url + path)).bytes;
  row(`transferred to first interactive page (${files.size} files, brotli, and the page itself)`, `${(sum / 1000).toFixed(0)} kB`, '≤ 700 kB');
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
}
