/** What the imager does when its system is ready, in the process namespace of a test: `node hand-over-program.ts DIRECTORY ROOT`. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../src/foundation/clock.ts';
import { toImprintError } from '../../src/foundation/errors.ts';
import { handOver } from '../../src/system/hand-over.ts';

const [directory = '', root = ''] = process.argv.slice(2);
const problem = await handOver(directory, root, systemClock).then(
  () => '',
  (error) => toImprintError(error).message,
);
// The system looks first who is there.
while (problem === '' && !existsSync(join(root, 'processes'))) await systemClock.sleep(50);
const first = (await readFile('/proc/1/cmdline', 'utf8')).replaceAll('\0', ' ').trim();
const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').filter((line) => line.includes(directory));
await writeFile(join(root, 'result'), JSON.stringify({ problem, first, mounts, title: process.title }));
