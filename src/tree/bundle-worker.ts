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
  let answer: BundleAnswer;
  try {
    answer = { kind: 'frames', id: request.id, frames: compressor.compress(request) };
  } catch (error) {
    answer = { kind: 'failed', error: toImprintError(error).toValue() };
  }
  port.postMessage(answer);
});
