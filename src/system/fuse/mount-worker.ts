import { openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import { FrameCache } from './frame-cache.ts';
import type { MountWorkerData, MountWorkerMessage } from './mount-message.ts';
import { answerRequests } from './request-loop.ts';
import { VersionFileSystem } from './version-file-system.ts';

/** The thread behind `mount-version`: reads a request, answers it, reads the next; all calls synchronous. */

const port = parentPort;
if (port === null) throw new Error('mount-worker runs as a thread only');
const { table, store, device, files, state, frame } = workerData as MountWorkerData;
const say = (message: MountWorkerMessage) => port.postMessage(message);
const cells = new Int32Array(state);
const open = new Map<string, number>();
let stored = Buffer.alloc(4 << 20);

function fromFile(path: string, offset: number, length: number): Uint8Array {
  let fd = open.get(path);
  if (fd === undefined) {
    fd = openSync(path, 'r');
    open.set(path, fd);
  }
  if (length > stored.length) stored = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const got = readSync(fd, stored, done, length - done, offset + done);
    if (got === 0) break;
    done += got;
  }
  return stored.subarray(0, done);
}

/** The main thread can wait for the network; this one waits for it. */
function fromStore(pack: string, offset: number, length: number): Uint8Array {
  Atomics.store(cells, 0, 0);
  say({ kind: 'fetch', pack, offset, length });
  Atomics.wait(cells, 0, 0);
  if (Atomics.load(cells, 0) === 1) return new Uint8Array(frame, 0, length).slice();
  throw new ImprintError('store-unreachable', { store, problem: `a part of pack ${pack} did not come` });
}

const frames = new FrameCache(table, store, (pack, offset, length) => {
  const path = files.get(pack);
  return path === undefined ? fromStore(pack, offset, length) : fromFile(path, offset, length);
});
const fileSystem = new VersionFileSystem(table, frames, (node, error) =>
  say({ kind: 'damage', node, error: toImprintError(error).toValue() }),
);

answerRequests({ device, longest: 128 << 10, answer: (request) => fileSystem.answer(request) });
say({ kind: 'ended' });
port.close();
