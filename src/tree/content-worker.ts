import { parentPort, workerData } from 'node:worker_threads';
import { toImprintError } from '../foundation/errors.ts';
import type { ContentAnswer, ContentRequest, ContentWorkerData } from './content-message.ts';
import { ContentStorer } from './content-storer.ts';

/** The thread behind `content-pool`: reads, hashes, compresses and writes packs; all calls synchronous. */

const port = parentPort;
if (port === null) throw new Error('content-worker runs as a thread only');
const answer = (message: ContentAnswer, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);
const storer = new ContentStorer(workerData as ContentWorkerData, answer);

port.on('message', (request: ContentRequest) => {
  if (request.kind === 'stop') {
    port.close();
    return;
  }
  try {
    storer.handle(request);
  } catch (error) {
    answer({ kind: 'failed', error: toImprintError(error).toValue() });
  }
});
