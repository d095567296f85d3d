import { parentPort, workerData } from 'node:worker_threads';
import { toImprintError } from '../foundation/errors.ts';
import type { StopRequest } from './end-workers.ts';
import type { RestoreAnswer, RestoreUnit, RestoreWorkerData } from './restore-message.ts';
import { RestoreWriter } from './restore-writer.ts';

/** The thread behind `restore-tree`: decompresses, verifies and writes files; all calls synchronous. */

const port = parentPort;
if (port === null) throw new Error('restore-worker runs as a thread only');
const writer = new RestoreWriter(workerData as RestoreWorkerData);

port.on('message', (unit: RestoreUnit | StopRequest) => {
  if ('kind' in unit) {
    writer.close();
    port.close();
    return;
  }
  let answer: RestoreAnswer;
  try {
    answer = { kind: 'written', id: unit.id, ...writer.write(unit) };
  } catch (error) {
    answer = { kind: 'failed', error: toImprintError(error).toValue() };
  }
  port.postMessage(answer);
});
