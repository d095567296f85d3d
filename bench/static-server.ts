import { createReadStream, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join, normalize } from 'node:path';

/**
 * A plain web server for peers that fetch from one: `static-server.ts DIRECTORY PORT COUNTS`; what it sent is kept up to date in the file COUNTS. Also what of a
 * registry of OCI images is needed to pull one (the distribution specification of the Open Container Initiative): its files lie below `v2/`.
 */

const [directory = '.', port = '0', counts = ''] = process.argv.slice(2);
const sent = { requests: 0, bytes: 0 };
const server = createServer((request, response) => {
  sent.requests += 1;
  const path = join(directory, normalize(decodeURIComponent((request.url ?? '').split('?')[0] ?? '')));
  const status = statSync(path, { throwIfNoEntry: false });
  response.on('finish', () => writeFileSync(counts, JSON.stringify(sent)));
  // A registry's clients look whether there is one.
  if (request.url === '/v2/') return void response.writeHead(200, { 'content-length': 0 }).end();
  if (!status?.isFile()) return void response.writeHead(404, { 'content-length': 0 }).end();
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const start = range ? Number(range[1]) : 0;
  const end = range?.[2] ? Math.min(Number(range[2]), status.size - 1) : status.size - 1;
  const length = Math.max(0, end - start + 1);
  response.writeHead(range ? 206 : 200, {
    'content-length': length,
    ...(path.includes('/manifests/') && { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }),
    ...(range && { 'content-range': `bytes ${start}-${end}/${status.size}` }),
  });
  if (request.method === 'HEAD' || length === 0) return void response.end();
  sent.bytes += length;
  createReadStream(path, { start, end }).pipe(response);
});
server.listen(Number(port), '127.0.0.1');
