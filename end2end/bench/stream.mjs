// What watchers cost each other: a thousand of them hear everything, while runs make events at a steady rate.
import { fork } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { api, diamond, listen, memoryMb, now, pause, quantile, row, scratch, start } from './bench.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const SECONDS = 10;
/** Events of one run of the six-step graph: its beginning, three for each step, its end. */
const EVENTS_OF_RUN = 21;

async function watched(readers, eventsPerSecond, bar) {
  const server = await start(join(scratch, `watched-${readers}-${eventsPerSecond}`));
  const { id } = await api(server, 'POST', '/workflows', diamond);
  const before = memoryMb(server.pid);
  const port = new URL(server.url).port;
  const child = fork(join(here, 'clients.mjs'), [port, String(readers)]);
  const told = () => new Promise((done) => child.once('message', done));
  await told();
  const opened = memoryMb(server.pid);
  const every = (1_000 * EVENTS_OF_RUN) / eventsPerSecond;
  const began = now();
  const starts = [];
  let first;
  let last;
  for (let at = 0; now() - began < SECONDS * 1_000; at += 1) {
    await pause(Math.max(0, began + at * every - now()));
    starts.push(api(server, 'POST', `/workflows/${id}/runs`, { input: {} }).then((run) => {
      first ??= run.seq;
      last = run;
    }));
  }
  await Promise.all(starts);
  const head = (await api(server, 'GET', `/runs/${last.id}`)).last_seq;
  await pause(1_000);
  const answer = told();
  child.send('tell');
  const { frames, gaps, closed, latencies } = await answer;
  const rate = Math.round((head - first + 1) / SECONDS);
  const got = ((100 * frames) / readers / (head - first + 1)).toFixed(1);
  row(
    `${readers} sockets that hear everything, ${rate} events/s for ${SECONDS} s: age at the client p50 / p99`,
    `${quantile(latencies, 0.5)} / ${quantile(latencies, 0.99)} ms; ${got} % came, ${gaps} gaps, ${closed} closed; ${(((opened - before) * 1000) / readers).toFixed(0)} kB each`,
    bar,
  );
  child.kill();
  await server.stop();
}

/**
 * An event at the client after its commit. The answer to a start is sent after the commit of everything that the start
 * led to, and so are its frames: how much later than the answer the last frame comes bounds how long frames take.
 */
async function afterCommit() {
  const server = await start(join(scratch, 'after-commit'));
  const { id } = await api(server, 'POST', '/workflows', diamond);
  const stream = await listen(server, 'workflow.*.events');
  const later = [];
  for (let at = 0; at < 600; at += 1) {
    const run = await api(server, 'POST', `/workflows/${id}/runs`, { input: {} });
    const answered = now();
    const end = await stream.ended(run.id);
    if (at >= 100) later.push(end.at - answered);
  }
  stream.close();
  const p = (q) => `${quantile(later, q).toFixed(1)} ms`;
  row('last frame of a run after the answer to its start (both follow its commit; below 0: before the answer) p50 / p99', `${p(0.5)} / ${p(0.99)}`, 'p50 ≤ 1 ms, p99 ≤ 5 ms');
  await server.stop();
}

export async function stream() {
  await afterCommit();
  await watched(10, 500, 'its commit included');
  await watched(1_000, 500, 'p99 ≤ 100 ms, no gap');
}
