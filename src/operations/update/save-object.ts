import { chmod, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../foundation/clock.ts';
import { toImprintError } from '../../foundation/errors.ts';
import { objectPaths } from '../../machine/carried-state.ts';
import { hostMounts, type InstalledLayout } from '../../machine/installed-layout.ts';
import { objectFile } from './object-file.ts';
import { type KeptObject, keepObject } from './object-state.ts';
import { readSlotVersion, type SlotVersion } from './slot-version.ts';
import { lookAtMachine, type ThisMachine } from './this-machine.ts';
import { lockUpdate } from './update-lock.ts';

/** Where a machine keeps its objects: where its settings say, on its host partition, or in its root. */
export function stateDirectoryOf(
  { settings, root }: Pick<ThisMachine, 'settings' | 'root'>,
  layout: Pick<InstalledLayout, 'host'>,
): string {
  const usual =
    layout.host === undefined ? join(root, objectPaths.inRoot) : join(root, hostMounts.host, objectPaths.onHost);
  return settings.stateDirectory ?? usual;
}

/** One process at a time keeps it: an update, or the agent beside it. Not the lock of updates, for nothing changes the version. */
const objectLockPath = '/run/imprint/object.lock';
const patience = 60_000;

/** Keeps what makes this machine itself, before an update fills a slot, or for the server. Errors: `update-running`, `disk-full`, `io-failed`. */
export async function keepMachineObject(
  machine: Pick<ThisMachine, 'settings' | 'root' | 'clock'>,
  layout: Pick<InstalledLayout, 'host'>,
  base: SlotVersion | undefined,
): Promise<KeptObject> {
  const { root, settings, clock } = machine;
  const stateDirectory = stateDirectoryOf(machine, layout);
  const known = base?.known;
  await using _lock = await lockObject(clock);
  return await keepObject({
    root,
    stateDirectory,
    carry: settings.carry,
    ...(known === undefined ? {} : { known }),
    clock,
  });
}

async function lockObject(clock: Clock): Promise<AsyncDisposable> {
  for (const until = clock.now() + patience; ; ) {
    try {
      return await lockUpdate('an object is kept', objectLockPath);
    } catch (thrown) {
      if (toImprintError(thrown).code !== 'update-running' || clock.now() >= until) throw thrown;
      await clock.sleep(200);
    }
  }
}

/** What was written of an object. */
export interface SavedObject {
  number: number;
  digest: string;
  created: string;
  bytes: number;
  /** Entries in it that are the machine's own. */
  entries: number;
}

/**
 * Writes what makes this machine itself to a file (mode 0600: keys are in it), which `unpackObject` reads. Errors: `update-running`, `object-unfit`,
 * `disk-full`, `io-failed`.
 */
export async function saveObject(machine: ThisMachine, file: string): Promise<SavedObject> {
  const { layout } = await lookAtMachine(machine);
  const object = await keepMachineObject(machine, layout, await readSlotVersion(machine.root));
  const bytes = objectFile(object);
  try {
    await writeFile(`${file}.new`, bytes, { mode: 0o600 });
    await chmod(`${file}.new`, 0o600);
    await rename(`${file}.new`, file);
  } catch (thrown) {
    throw toImprintError(thrown);
  }
  const { number, digest, created, entries } = object;
  return { number, digest, created, bytes: bytes.length, entries: entries.length };
}
