import type { InstallOrder } from '../contract/imager-protocol.ts';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import type { ImageContent } from '../machine/image-content.ts';
import { executeInstall } from '../operations/install/execute-install.ts';
import type { InstallContext } from '../operations/install/install-context.ts';
import type { FoundLive } from '../operations/live/find-live.ts';
import type { LiveContent, LiveInstall } from '../operations/live/live-install.ts';
import { describeStep, type Step } from '../planning/step.ts';
import type { Store } from '../store/store.ts';
import type { Installer, OrderResult } from './install-order.ts';
import { guardOf, orderedVersion } from './install-order.ts';

/** How systems are started before they are installed. */
export interface LiveStarts {
  /** What an earlier start was in the middle of. */
  begin(content: LiveContent): LiveInstall;
  /** Told what a start for an order read first; absent: nobody wants to know. */
  learn?(order: string, frames: readonly string[]): Promise<void>;
  /** The one of this start. */
  readonly current?: LiveInstall | undefined;
  /** Whether one of them runs now: then nothing restarts this machine. */
  readonly handedOver: boolean;
}

/** The order that a note was made for, where no server says it again. */
export function orderOfNote({ note }: FoundLive): InstallOrder {
  const { name, reference, digest, record, recordSignature, store, order } = note;
  return {
    ...{ kind: 'install', id: order, name, image: reference, digest: digest as Digest, record, recordSignature, store },
    options: { live: true },
  };
}

/**
 * Goes on with a move that an earlier start began: the root is put together as it was, its system started, and what is left is brought. Never
 * rejects, as `carryOut`.
 */
export async function carryOnLive(
  order: InstallOrder,
  found: FoundLive,
  installer: Installer,
  run: (work: (task: Task) => Promise<void>) => Promise<void>,
  begun: (live: LiveInstall) => void = () => {},
): Promise<OrderResult> {
  let current: Step | undefined;
  try {
    await run(async (task) => {
      const { live: starts } = installer;
      if (starts === undefined) throw new ImprintError('internal', { problem: 'nothing is started here' });
      const { note, record } = found;
      const store = record.phase === 'copying' ? await openPatiently(order, installer, task) : undefined;
      try {
        const live = starts.begin({
          ...{ name: note.name, reference: note.reference, digest: note.digest as Digest, record: note.record },
          ...{ recordSignature: note.recordSignature, order: order.id, store: store as Store, location: order.store },
          ...(order.options.rate !== undefined && { limit: order.options.rate }),
        });
        await task
          .part(`go on with ${note.reference}, ${record.phase}`, (part) => live.resume(found, part))
          .catch(async (error) => {
            // What holds the disk would be in the way of whatever comes next.
            await live.abandon();
            throw error;
          });
        begun(live);
        const context = contextOf(installer, live);
        await executeInstall(order.name, live.steps, context, task, { reached: (step) => (current = step) });
      } finally {
        await store?.close();
      }
    });
    return { kind: 'installed' };
  } catch (thrown) {
    return failed(thrown, current);
  }
}

/** Goes on with a move that broke off in this start. Never rejects, as `carryOut`. */
export async function goOnLive(
  name: string,
  live: LiveInstall,
  installer: Installer,
  run: (work: (task: Task) => Promise<void>) => Promise<void>,
): Promise<OrderResult> {
  let current: Step | undefined;
  try {
    await run(async (task) => {
      await live.goOn();
      await executeInstall(name, live.steps, contextOf(installer, live), task, { reached: (step) => (current = step) });
    });
    return { kind: 'installed' };
  } catch (thrown) {
    return failed(thrown, current);
  }
}

/** The same, where a server orders it: what runs here and moves is all that it can be. */
export async function goOnOrdered(
  order: InstallOrder,
  live: LiveInstall,
  installer: Installer,
  run: (work: (task: Task) => Promise<void>) => Promise<void>,
): Promise<OrderResult> {
  const { device = 'its disk', digest } = live;
  if (order.options.live === true && order.digest === digest) return goOnLive(order.name, live, installer, run);
  return { kind: 'refused', error: new ImprintError('live-busy', { disk: device, state: 'that broke off' }) };
}

function failed(thrown: unknown, step: Step | undefined): OrderResult {
  return { kind: 'failed', error: toImprintError(thrown), ...(step && { step: describeStep(step) }) };
}

function contextOf({ processes, clock, target, agent }: Installer, live: LiveInstall): InstallContext {
  return { processes, clock, target, live, content: nothing, restore: async () => {}, ...(agent && { agent }) };
}

/** The steps that are left ask nothing of it. */
const nothing: ImageContent = {
  ...{ kernels: [], systemd: true, sshServer: false, selinux: false, runsNode: true, hostKeys: [] },
};

/** The store, for as long as it takes: the machine has nothing else to do. The version is believed anew. */
async function openPatiently(order: InstallOrder, installer: Installer, task: Task): Promise<Store> {
  for (let pause = 1000; ; pause = Math.min(pause * 2, 15_000)) {
    task.signal.throwIfAborted();
    let store: Store | undefined;
    try {
      store = await installer.openStore(order.store, task.signal);
      await guardOf(installer).check(orderedVersion(order), 'use', store);
      return store;
    } catch (thrown) {
      await store?.close();
      const error = toImprintError(thrown);
      if (error.exitStatus === 5) throw error;
      task.warn(`${error.message} It is asked again.`);
      await installer.clock.sleep(pause, task.signal);
    }
  }
}
