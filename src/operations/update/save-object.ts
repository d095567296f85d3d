import { readFileSync } from 'node:fs';
import { chmod, rename, stat, writeFile } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import type { Clock } from '../../foundation/clock.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import { agentFiles } from '../../machine/agent-files.ts';
import { objectPaths } from '../../machine/carried-state.ts';
import { hostMounts, type InstalledLayout } from '../../machine/installed-layout.ts';
import { objectFile } from './object-file.ts';
import { type KeptObject, keepObject } from './object-state.ts';
import { readSlotVersion, type SlotVersion } from './slot-version.ts';
import { lookAtMachine, type ThisMachine } from './this-machine.ts';
import { lockUpdate } from './update-lock.ts';

/**
 * Where a machine keeps its objects: on its host partition, in its root, or where its settings say. That may be the same path on many machines (a clustered
 * or network file system), so each has a directory of its own there, named by its machine-id: no two ever write to the same, and no lock has to reach
 * from machine to machine. The machine-id is part of the object, so a machine that was installed anew with it finds its own again.
 */
export function stateDirectoryOf(
  { settings, root }: Pick<ThisMachine, 'settings' | 'root'>,
  { host, boot }: Pick<InstalledLayout, 'host' | 'boot'>,
): string {
  const usual = host === undefined ? join(root, objectPaths.inRoot) : join(root, hostMounts.host, objectPaths.onHost);
  const { stateDirectory } = settings;
  if (stateDirectory === undefined || normalize(`${stateDirectory}/`) === normalize(`${usual}/`)) return usual;
  return join(stateDirectory, machineIdOf(root) ?? boot.toLowerCase());
}

/** Of machine-id(5); undefined where a machine has none that it will keep. */
function machineIdOf(root: string): string | undefined {
  try {
    const text = readFileSync(join(root, 'etc/machine-id'), 'utf8').trim();
    return /^[0-9a-f]{32}$/.test(text) && !/^0+$/.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

/** What people named must be there: made anew, it would lie in the root, below a mount point on which nothing is mounted now. Errors: `object-unfit`. */
export async function requireStateDirectory({ stateDirectory }: ThisMachine['settings']): Promise<void> {
  if (stateDirectory === undefined) return;
  const found = await stat(stateDirectory).catch(() => undefined);
  if (found?.isDirectory() === true) return;
  throw new ImprintError('object-unfit', {
    problem: `stateDirectory: ${stateDirectory} of /${agentFiles.settings} is no directory`,
    hint: 'Mount its file system; where the directory was never made, make it there (mkdir -m 700).',
  });
}

/** One process at a time keeps it: an update, or the agent beside it. Not the lock of updates, for nothing changes the version. */
const objectLockPath = '/run/imprint/object.lock';
const patience = 60_000;

/**
 * Keeps what makes this machine itself, before an update fills a slot, or for the server. Errors: `update-running`, `object-unfit`,
 * `disk-full`, `io-failed`.
 */
export async function keepMachineObject(
  machine: Pick<ThisMachine, 'settings' | 'root' | 'clock'>,
  layout: Pick<InstalledLayout, 'host' | 'boot'>,
  base: SlotVersion | undefined,
): Promise<KeptObject> {
  const { root, settings, clock } = machine;
  await requireStateDirectory(settings);
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
