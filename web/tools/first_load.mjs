/**
 * What a browser loads of JavaScript to show the page of jobs, compressed with gzip (what any client
 * takes; brotli is less). Ends with 1 above the limit.
 */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const kLimit = 250_000;
const folder = new URL('../../build/web/', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('manifest.json', folder), 'utf8'));
const files = new Set();

const add = (key) => {
  const chunk = manifest[key];
  if (!chunk || files.has(chunk.file)) return;
  if (chunk.file.endsWith('.js')) files.add(chunk.file);
  for (const next of chunk.imports ?? []) add(next);
};
add('index.html');
add('src/features/jobs/JobsPage.tsx');

let total = 0;
for (const file of files) total += gzipSync(readFileSync(new URL(file, folder)), { level: 9 }).length;
const text = `${(total / 1000).toFixed(1)} kB of JavaScript in ${files.size} files for the page of jobs; the limit is ${kLimit / 1000}`;
console.log(text);
process.exit(files.size > 1 && total <= kLimit ? 0 : 1);
