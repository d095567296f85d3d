import { parentPort, workerData } from 'node:worker_threads';
import { toImprintError } from '../foundation/errors.ts';
import { BundleCompressor } from './bundle-compressor.ts';
import type { BundleAnswer, BundleRequest, BundleWorkerData } from './bundle-message.ts';

/** The thread behind `make-bundle`: reads packs, compresses frames; all calls synchronous. */

const port = parentPort;
if (port === null) throw new Error('bundle-worker runs as a thread only');
const compressor = new BundleCompressor(workerData as BundleWorkerData);

port.on('message', (request: BundleRequest) => {
  if ('kind' in request) {
    compressor.close();
    port.close();
    return;
  }
  try {
    const frames = compressor.compress(request);
    const memory = frames.map(({ buffer }) => buffer);
    port.postMessage({ kind: 'frames', id: request.id, frames } satisfies BundleAnswer, memory);
  } catch (error) {
    port.postMessage({ kind: 'failed', error: toImprintError(error).toValue() } satisfies BundleAnswer);
  }
});
