// What streaming costs: a thousand model answers at once, 50 chunks a second each, from the model server to a reader's
// socket; one answer as fast as it comes; and the parser alone. CPU is that of the server process, from /proc.
import { fork, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { watch } from './browser.mjs';
import { api, drained, median, memoryMb, now, pause, quantile, row, scratch, start } from './bench.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const STREAMS = 1_000;
const PER_SECOND = 50;
const SECONDS = 15;

const speaker = {
  troupe: 1,
  name: 'One who speaks',
  nodes: [{ id: 'a', kind: 'agent', prompt: 'Go.', capabilities: [], model: 'openai:fake' }],
  edges: [],
};

/** CPU seconds of a process so far, all of its threads; Linux counts in hundredths. */
function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const told = (child) => new Promise((done) => child.once('message', done));

async function talking(name, { streams, chunks, flood = false, hears = true }, measure) {
  const talker = fork(join(here, 'talker.mjs'), [streams, chunks, flood ? 1 : 0].map(String), { stdio: 'inherit' });
  const port = await told(talker);
  const server = await start(join(scratch, name), { OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1` });
  const hearer = hears ? fork(join(here, 'hearer.mjs'), [server.ws], { stdio: 'inherit' }) : null;
  if (hearer) await told(hearer);
  const heard = () => {
    const answer = told(hearer);
    hearer.send('tell');
    return answer;
  };
  try {
    const begun = told(talker);
    // The one that is watched has a workflow to itself, as it would have.
    const begin = async (count) => {
      const { id } = await api(server, 'POST', '/workflows', speaker);
      return api(server, 'POST', `/workflows/${id}/runs/batch`, { inputs: Array.from({ length: count }, () => ({})) });
    };
    if (streams > 1) await begin(streams - 1);
    const [watched] = (await begin(1)).items;
    await begun;
    await measure(server, heard, talker, watched.id);
    await drained(server);
    const failed = (await api(server, 'GET', '/runs?status=failed&limit=1')).items.length;
    if (failed > 0) throw new Error('a run failed');
  } finally {
    hearer?.kill();
    talker.kill();
    await server.stop();
  }
}

async function thousandStreams() {
  await talking('thousand', { streams: STREAMS, chunks: PER_SECOND * SECONDS }, async (server, heard, talker) => {
    // The first seconds hold the beginning of a thousand runs.
    await pause(3_000);
    await heard();
    const [began, before, fakeBefore] = [now(), cpuSeconds(server.pid), cpuSeconds(talker.pid)];
    await pause((SECONDS - 5) * 1_000);
    const [took, used] = [(now() - began) / 1_000, cpuSeconds(server.pid) - before];
    const fakeUsed = cpuSeconds(talker.pid) - fakeBefore;
    const { words, oldest } = await heard();
    const rate = words.length / took;
    const ms = (numbers, q) => quantile(numbers, q).toFixed(1);
    row(
      `${STREAMS} streams, ${PER_SECOND} chunks/s each: CPU of the server`,
      `${(used / took).toFixed(2)} cores, ${((used / words.length) * 1e6).toFixed(1)} µs a chunk; ${Math.round(rate)} chunks/s heard in ${Math.round(oldest.length / took)} pieces/s; ${memoryMb(server.pid).toFixed(0)} MB (model server beside it: ${(fakeUsed / took).toFixed(2)} cores)`,
      '≤ 1 core',
    );
    row(
      'the same: chunk sent to chunk heard by one reader of all, p50 / p99 / most',
      `${ms(words, 0.5)} / ${ms(words, 0.99)} / ${ms(words, 1)} ms; oldest chunk of each piece ${ms(oldest, 0.5)} / ${ms(oldest, 0.99)} ms`,
      'p99 ≤ 50 ms',
    );
  });
}

/** The page of one of a thousand runs, while all of them are written. */
async function inTheBrowser() {
  await talking('page', { streams: STREAMS, chunks: PER_SECOND * (SECONDS + 10), hears: false }, async (server, _, talker, run) => {
    const page = await watch(server, run);
    try {
      await pause(3_000);
      await page.ages();
      const [began, before, fakeBefore] = [now(), cpuSeconds(server.pid), cpuSeconds(talker.pid)];
      await pause((SECONDS - 5) * 1_000);
      const took = (now() - began) / 1_000;
      const [used, fakeUsed] = [cpuSeconds(server.pid) - before, cpuSeconds(talker.pid) - fakeBefore];
      const ages = await page.ages();
      const ms = (q) => quantile(ages, q).toFixed(1);
      row(
        `${STREAMS} streams, ${PER_SECOND} chunks/s each, one of them watched on its page in Chromium: chunk sent to chunk in the page, p50 / p99 / most`,
        `${ms(0.5)} / ${ms(0.99)} / ${ms(1)} ms (${ages.length} chunks; server ${(used / took).toFixed(2)} cores, model server ${(fakeUsed / took).toFixed(2)})`,
        'p99 ≤ 50 ms',
      );
    } finally {
      await page.close();
    }
  });
}

/** One answer, each chunk sent by itself. What it costs holds everything: network, parser, JSON, event, reader. */
async function flood() {
  const chunks = 40_000;
  const costs = [];
  for (let round = 0; round < 3; round += 1) {
    await talking(`flood-${round}`, { streams: 1, chunks, flood: true }, async (server) => {
      const before = cpuSeconds(server.pid);
      await drained(server);
      costs.push(((cpuSeconds(server.pid) - before) / chunks) * 1e6);
    });
  }
  row(`one answer of ${chunks} chunks as fast as it comes: CPU of the server for each`, `${median(costs).toFixed(1)} µs`, '≤ 20 µs');
}

function parser() {
  const made = join(scratch, 'parser');
  const source = join(here, 'parser.rs');
  const built = spawnSync('rustc', ['--edition', '2024', '-C', 'opt-level=3', '-o', made, source], { stdio: 'inherit' });
  if (built.status !== 0) throw new Error('the parser did not build');
  const { stdout, status } = spawnSync(made, { encoding: 'utf8' });
  if (status !== 0) throw new Error('the parser failed');
  row('event stream parser alone, median of 15', `${stdout.trim()} MB/s`, '≥ 200 MB/s');
}

export async function wire() {
  parser();
  await flood();
  await thousandStreams();
  await inTheBrowser();
}
