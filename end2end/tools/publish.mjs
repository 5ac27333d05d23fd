// publish.mjs DIR: the last step of a release build of the site.
//
// Puts a compressed twin (.br, .gz) beside each file that shrinks, copies what pages load under a name that holds
// its content's hash (so a browser may keep it for ever), and writes those hashes to DIR/hash.txt in the form Leptos
// reads (`LeptosOptions::hash_files`). What is up to date is left alone.
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const site = process.argv[2];
const pkg = join(site, 'pkg');
const shrinks = new Set(['.css', '.html', '.ico', '.js', '.json', '.mjs', '.svg', '.ttf', '.txt', '.wasm', '.webmanifest', '.xml']);
const encodings = {
  '.br': (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }),
  '.gz': (bytes) => gzipSync(bytes, { level: 9 }),
};
const hashed = /^troupe\.[0-9a-f]{16}\./;

for (const entry of readdirSync(site, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || hashed.test(entry.name) || !shrinks.has(extname(entry.name))) continue;
  compress(join(entry.parentPath, entry.name));
}

const current = new Set();
const lines = [];
for (const [kind, name] of [['js', 'troupe.js'], ['wasm', 'troupe_bg.wasm'], ['css', 'troupe.css']]) {
  const hash = createHash('sha256').update(readFileSync(join(pkg, name))).digest('hex').slice(0, 16);
  lines.push(`${kind}: ${hash}`);
  for (const suffix of ['', ...Object.keys(encodings)]) {
    const copy = `troupe.${hash}.${kind}${suffix}`;
    current.add(copy);
    if (existsSync(join(pkg, name + suffix)) && !existsSync(join(pkg, copy))) copyFileSync(join(pkg, name + suffix), join(pkg, copy));
  }
}
for (const name of readdirSync(pkg)) if (hashed.test(name) && !current.has(name)) rmSync(join(pkg, name));

writeFileSync(join(site, 'hash.txt'), lines.join('\n') + '\n');
const size = (name) => `${Math.round(statSync(join(pkg, name)).size / 1024)} kB`;
console.error(`       WASM ${size('troupe_bg.wasm')}, ${size('troupe_bg.wasm.gz')} with gzip, ${size('troupe_bg.wasm.br')} with brotli`);

// A twin carries its original's time: any other time, older or newer, means the original has changed.
function compress(path) {
  const { size, atime, mtime } = statSync(path);
  for (const [suffix, encode] of Object.entries(encodings)) {
    const twin = path + suffix;
    if (size < 512) {
      rmSync(twin, { force: true });
    } else if (!existsSync(twin) || Math.abs(statSync(twin).mtimeMs - mtime.getTime()) > 1) {
      writeFileSync(twin, encode(readFileSync(path)));
      utimesSync(twin, atime, mtime);
    }
  }
}
