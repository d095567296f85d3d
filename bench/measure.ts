import { spawn } from 'node:child_process';
import { dlopen, getInt64, getRawPointer } from 'node:ffi';

/**
 * Runs one shell command and prints what it took as JSON: seconds of user and system time of it and all its children, the
 * largest resident memory of any one of its processes in KiB, seconds on the clock. A process of its own for each
 * measurement, since the kernel only adds up.
 */

const [command = 'true'] = process.argv.slice(2);
const { functions } = dlopen(null, { getrusage: { arguments: ['i32', 'pointer'], return: 'i32' } });
const began = performance.now();
const child = spawn('bash', ['-o', 'pipefail', '-c', command], { stdio: ['ignore', 'ignore', 'inherit'] });
child.on('exit', (status) => {
  const wall = (performance.now() - began) / 1000;
  const usage = new ArrayBuffer(256);
  const at = getRawPointer(usage);
  // RUSAGE_CHILDREN; struct rusage of sys/resource.h: user time, system time (seconds, microseconds), maxrss.
  functions.getrusage(-1, at);
  const seconds = (offset: number) => Number(getInt64(at, offset)) + Number(getInt64(at, offset + 8)) / 1e6;
  const memory = Number(getInt64(at, 32));
  process.stdout.write(`${JSON.stringify({ status, user: seconds(0), system: seconds(16), memory, wall })}\n`);
});
