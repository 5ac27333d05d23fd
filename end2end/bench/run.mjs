// Benchmarks of the release build: `./x bench [pages] [engine] [stream] [provider]`. Medians unless the row says otherwise. Nothing here
// can fail a build.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';

if (typeof WebSocket === 'undefined') {
  const flags = ['--experimental-websocket', '--no-warnings', ...process.argv.slice(1)];
  process.exit(spawnSync(process.execPath, flags, { stdio: 'inherit' }).status ?? 1);
}

const { binary, scratch, table } = await import('./bench.mjs');
const { pages } = await import('./pages.mjs');
const { engine } = await import('./engine.mjs');
const { stream } = await import('./stream.mjs');
const { wire } = await import('./wire.mjs');
const parts = { pages, engine, stream, provider: wire };
const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts);

try {
  console.log(`${cpus().length} cores, load ${loadavg()[0].toFixed(1)}, ${binary}`);
  for (const part of wanted) {
    if (!parts[part]) throw new Error(`there is no part ${part}: ${Object.keys(parts).join(', ')}`);
    console.log(part);
    await parts[part]();
  }
  console.log(`\n${table()}\n\nMade with \`./x bench ${wanted.join(' ')}\`.`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
