// publish.mjs DIR: the last step of a release build of the site.
//
// Copies what pages load under names that hold a hash (so a browser may keep it for ever), puts a compressed twin
// (.br, .gz) beside each file that shrinks, and writes the hashes to DIR/hash.txt in the form Leptos reads
// (`LeptosOptions::hash_files`). The program's parts name each other, so they share one hash over all of them.
// What is up to date is left alone.
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { extname, join, parse } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const site = process.argv[2];
const pkg = join(site, 'pkg');
const shrinks = new Set(['.css', '.html', '.ico', '.js', '.json', '.mjs', '.svg', '.ttf', '.txt', '.wasm', '.webmanifest', '.xml']);
const encodings = {
  '.br': (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }),
  '.gz': (bytes) => gzipSync(bytes, { level: 9 }),
};
const hashed = /\.[0-9a-f]{16}\./;
const digest = (contents) => contents.reduce((hash, content) => hash.update(content), createHash('sha256')).digest('hex').slice(0, 16);
const plain = readdirSync(pkg).filter((name) => /\.(css|js|wasm)$/.test(name) && !hashed.test(name)).sort();
const parts = plain.filter((name) => !name.endsWith('.css'));
const build = digest(parts.flatMap((name) => [name, readFileSync(join(pkg, name))]));
const style = digest([readFileSync(join(pkg, 'troupe.css'))]);

// troupe_bg.wasm is known to pages as troupe.HASH.wasm.
const published = (name) => {
  const { name: stem, ext } = parse(name === 'troupe_bg.wasm' ? 'troupe.wasm' : name);
  return `${stem}.${ext === '.css' ? style : build}${ext}`;
};
const wanted = new Set(plain.map(published));
for (const name of readdirSync(pkg)) {
  if (hashed.test(name) && !wanted.has(name.replace(/\.(br|gz)$/, ''))) rmSync(join(pkg, name));
}
for (const name of plain) {
  const copy = join(pkg, published(name));
  if (existsSync(copy)) continue;
  if (!name.endsWith('.js')) {
    copyFileSync(join(pkg, name), copy);
    continue;
  }
  // Only where a file is fetched: the program also names its imports, and those names are part of it.
  const text = readFileSync(join(pkg, name), 'utf8').replace(
    /(\bfrom |\bimport\(|\bnew URL\()(["'])\.\/([^"']+)\2/g,
    (whole, fetched, quote, other) => (parts.includes(other) ? `${fetched}${quote}./${published(other)}${quote}` : whole),
  );
  writeFileSync(copy, text);
}
writeFileSync(join(site, 'hash.txt'), [`js: ${build}`, `wasm: ${build}`, `css: ${style}`, `split: ${build}`].join('\n') + '\n');

for (const entry of readdirSync(site, { recursive: true, withFileTypes: true })) {
  if (entry.isFile() && shrinks.has(extname(entry.name))) compress(join(entry.parentPath, entry.name));
}
const kb = (name, what = '') => (existsSync(join(pkg, name)) ? [`${Math.round(statSync(join(pkg, name)).size / 1024)} kB${what}`] : []);
// What is too small to shrink has no twins.
for (const name of plain) {
  console.error(`       ${name}: ${[...kb(name), ...kb(`${name}.gz`, ' with gzip'), ...kb(`${name}.br`, ' with brotli')].join(', ')}`);
}

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
