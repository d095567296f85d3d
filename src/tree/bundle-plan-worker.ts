import { parentPort, workerData } from 'node:worker_threads';
import { toImprintError } from '../foundation/errors.ts';
import { DirectoryStore } from '../store/directory-store.ts';
import type { BundlePlanAnswer, BundlePlanWorkerData } from './bundle-message.ts';
import { planBundle } from './plan-bundle.ts';

/** The thread behind `planBundleAside`: plans one bundle, and waits to be told to end. */

const port = parentPort;
if (port === null) throw new Error('bundle-plan-worker runs as a thread only');
const stop = new AbortController();
port.on('message', () => {
  stop.abort();
  port.close();
});
const { store: location, from, to } = workerData as BundlePlanWorkerData;
const answer = (message: BundlePlanAnswer, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);
try {
  const store = await DirectoryStore.open(location);
  try {
    const plan = await planBundle(store, from, to, stop.signal);
    answer({ kind: 'planned', plan }, [plan.pieces.buffer, plan.hashes.buffer]);
  } finally {
    await store.close();
  }
} catch (error) {
  answer({ kind: 'failed', error: toImprintError(error).toValue() });
}
