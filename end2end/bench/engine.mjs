// How much the engine does: chains, fans, many runs, many agents, and how soon it goes on after a kill. Each figure
// stands beside a floor that is measured here too.
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { fork } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { api, chain, diamond, drained, listen, median, memoryMb, now, pause, row, scratch, start } from './bench.mjs';

const here = dirname(fileURLToPath(import.meta.url));

/** What 41 commits cost at least: as many pages, each synced to the disk. */
function commitsMs(count) {
  const file = openSync(join(scratch, 'floor'), 'w');
  const page = Buffer.alloc(4096, 1);
  const began = now();
  for (let at = 0; at < count; at += 1) {
    writeSync(file, page);
    fdatasyncSync(file);
  }
  const took = now() - began;
  closeSync(file);
  return took;
}

const fan = (width) => ({
  troupe: 1,
  name: `Fan of ${width}`,
  nodes: [
    { id: 'begin', kind: 'transform', template: 'x' },
    ...Array.from({ length: width }, (_, at) => ({ id: `f${at}`, kind: 'transform', template: '{{ nodes.begin.output }}' })),
    { id: 'join', kind: 'transform', template: 'done' },
  ],
  edges: Array.from({ length: width }, (_, at) => [
    { from: 'begin', to: `f${at}` },
    { from: `f${at}`, to: 'join' },
  ]).flat(),
});

const agents = (count) => ({
  troupe: 1,
  name: `${count} agents`,
  nodes: Array.from({ length: count }, (_, at) => ({ id: `a${at}`, kind: 'agent', prompt: 'Go.', capabilities: [], model: 'openai:fake' })),
  edges: [],
});

async function runsOf(server, drawing, rounds) {
  const stream = await listen(server, 'workflow.*.events');
  const { id } = await api(server, 'POST', '/workflows', drawing);
  const times = [];
  for (let at = 0; at < rounds; at += 1) {
    const began = now();
    const run = await api(server, 'POST', `/workflows/${id}/runs`, { input: {} });
    const end = await stream.ended(run.id);
    if (!end.ok) throw new Error('a run failed');
    if (at >= rounds / 5) times.push(end.at - began);
  }
  stream.close();
  return median(times);
}

async function manyRuns(server) {
  const { id } = await api(server, 'POST', '/workflows', diamond);
  const rates = [];
  for (let round = 0; round < 7; round += 1) {
    const inputs = Array.from({ length: 500 }, () => ({}));
    const began = now();
    const { items } = await api(server, 'POST', `/workflows/${id}/runs/batch`, { inputs });
    await drained(server);
    if (round >= 2) rates.push((500 * 6) / ((now() - began) / 1000));
    const last = await api(server, 'GET', `/runs/${items[499].id}`);
    if (last.status !== 'succeeded') throw new Error(`a run ${last.status}`);
  }
  row('500 runs of a 6-step graph at once, until none is on its way', `${Math.round(median(rates))} steps/s`, '≥ 8,000 steps/s, aim 20,000');
}

/** What an event costs where few or a million are stored already: the same work over both. */
async function amongMany(server, id) {
  const times = [];
  for (let at = 0; at < 60; at += 1) {
    const began = now();
    await api(server, 'POST', `/workflows/${id}/runs`, { input: {} });
    times.push(now() - began);
  }
  await drained(server);
  return median(times.slice(10));
}

async function growth() {
  const server = await start(join(scratch, 'growth'));
  const six = (await api(server, 'POST', '/workflows', diamond)).id;
  const forty = (await api(server, 'POST', '/workflows', chain(40))).id;
  const few = await amongMany(server, forty);
  let head = 0;
  while (head < 1_000_000) {
    const inputs = Array.from({ length: 1_000 }, () => ({}));
    const { items } = await api(server, 'POST', `/workflows/${six}/runs/batch`, { inputs });
    head = (await api(server, 'GET', `/runs/${items.at(-1).id}`)).last_seq;
  }
  await drained(server);
  const many = await amongMany(server, forty);
  row(`40 steps with few and with ${Math.round(head / 1000)},000 events stored`, `${few.toFixed(1)} and ${many.toFixed(1)} ms (${(many / few).toFixed(2)})`, 'within 20 %');
  await server.stop();
}

async function provider() {
  const child = fork(join(here, 'provider.mjs'), { stdio: 'inherit' });
  const port = await new Promise((done) => child.once('message', done));
  const ask = (what) =>
    new Promise((done) => {
      child.once('message', done);
      child.send(what);
    });
  return { base: `http://127.0.0.1:${port}/v1`, ask, stop: () => child.kill() };
}

async function manyAgents(fake, count, bar) {
  const server = await start(join(scratch, `agents-${count}`), { OPENAI_BASE_URL: fake.base });
  const { id } = await api(server, 'POST', '/workflows', agents(count));
  const began = now();
  const run = await api(server, 'POST', `/workflows/${id}/runs`, { input: {} });
  let state;
  do {
    await pause(20);
    state = (await api(server, 'GET', `/runs?workflow=${id}&limit=1`)).items[0];
  } while (!['succeeded', 'failed', 'cancelled'].includes(state.status));
  const took = (now() - began) / 1000;
  if (state.status !== 'succeeded') throw new Error(`run ${run.id} of ${count} agents ${state.status}`);
  row(`${count} agents at once, 20 chunks over 2 s each`, `${took.toFixed(2)} s, ${memoryMb(server.pid, 'VmHWM').toFixed(0)} MB`, bar);
  await server.stop();
}

async function afterKill(fake, count, bar) {
  const data = join(scratch, `killed-${count}`);
  let server = await start(data, { OPENAI_BASE_URL: fake.base });
  const { id } = await api(server, 'POST', '/workflows', agents(1));
  await fake.ask('hold');
  const before = await fake.ask('count');
  await api(server, 'POST', `/workflows/${id}/runs/batch`, { inputs: Array.from({ length: count }, () => ({})) });
  while ((await fake.ask('count')).length < before.length + count) await pause(10);
  await server.kill();
  const known = (await fake.ask('count')).length;
  server = await start(data, { OPENAI_BASE_URL: fake.base });
  let calls;
  do {
    await pause(10);
    calls = (await fake.ask('count')).slice(known);
  } while (calls.length < count);
  const since = (at) => `${Math.round(at - server.began)} ms`;
  row(`after kill -9 with ${count} open runs: first and last step resumed, from exec`, `${since(calls[0])}, ${since(calls[count - 1])}`, bar);
  await fake.ask('go');
  await server.kill();
}

export async function engine() {
  const floor = median(Array.from({ length: 5 }, () => commitsMs(41)));
  const server = await start(join(scratch, 'engine'));
  const of = (ms) => `${ms.toFixed(1)} ms (${(ms / floor).toFixed(2)} of 41 synced pages: ${floor.toFixed(1)} ms)`;
  row('chain of 40 steps, from HTTP request to end received', of(await runsOf(server, chain(40), 60)), '≤ 20 ms, aim 8');
  row('fan-out to 200 and join', of(await runsOf(server, fan(200), 40)), '≤ 30 ms, aim 10');
  await manyRuns(server);
  await server.stop();
  await growth();
  const fake = await provider();
  try {
    await manyAgents(fake, 1_000, '≤ 2.5 s, ≤ 150 MB');
    await manyAgents(fake, 5_000, '≤ 5 s, ≤ 400 MB');
    await manyAgents(fake, 10_000, 'none fails');
    await afterKill(fake, 200, 'first ≤ 300 ms, all ≤ 1 s');
    await afterKill(fake, 1_000, 'first ≤ 500 ms');
  } finally {
    fake.stop();
  }
}
