import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { KeyTestInput, KeyTestOutput, KeyTestResult } from '../../contract/operations/keys.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { readFat } from '../../image/fat-reader.ts';
import { readDiskStructure } from '../../machine/disk-structure.ts';
import { mediumPaths } from '../../machine/medium-names.ts';
import { isoFamilies } from '../../netboot/iso-families.ts';
import { BootDisk } from '../../system/boot-disk.ts';
import { kvmWorks } from '../../system/kvm.ts';
import { TrialMachine } from '../../system/trial-machine.ts';
import { findUefiFirmware } from '../../system/uefi-firmware.ts';
import type { Context } from '../context.ts';
import { listKey } from './list-key.ts';
import { type IsoTrial, tryImager, tryIso } from './try-iso.ts';

/** The FAT file system of a key (`createKey`). */
const bootPartition = 2;

/** MiB: enough for live systems with a desktop. */
const memory = 2048;

/**
 * `imprint key test`: starts every ISO file of a key in a virtual machine, on each firmware, and says how far it came. The key is not written: not by us, and
 * what the machines write is forgotten. Errors: those of `keyTest` but `iso-not-started`, `io-failed`, `interrupted`.
 */
export async function testKey(
  context: Pick<Context, 'processes' | 'clock'>,
  input: KeyTestInput,
  task: Task,
): Promise<KeyTestOutput> {
  const { processes } = context;
  const { isos } = await listKey(context, { key: input.key, verify: false }, task, { asItIs: true });
  const imager = (await hasImager(context, input.key)) ? [imagerName] : [];
  const names = [...imager, ...isos.map(({ name }) => name)];
  if (names.length === 0) {
    const nothing = 'ISO file, nor our imager,';
    throw new ImprintError('iso-not-found', { iso: nothing, key: input.key, known: 'nothing that could be started' });
  }
  const strange = input.isos.find((name) => !names.includes(name));
  if (strange !== undefined)
    throw new ImprintError('iso-not-found', { iso: strange, key: input.key, known: names.join(', ') || 'none' });
  await processes.run('qemu-system-x86_64', ['--version'], { timeout: 30_000 });
  const firmwares = input.firmware === 'both' ? (['bios', 'uefi'] as const) : [input.firmware];
  const uefi = firmwares.includes('uefi') ? await findUefiFirmware() : undefined;
  const kvm = await kvmWorks(processes);
  const directory = await makeDirectory(input.directory);
  const own = { name: imagerName, size: 0 };
  const chosen = [...imager.map(() => own), ...isos].filter(
    ({ name }) => input.isos.length === 0 || input.isos.includes(name),
  );
  const trials = chosen.flatMap((iso) =>
    firmwares.map((firmware) => ({ iso, firmware, limit: input.limit, memory: memoryFor(iso) })),
  );
  const results: KeyTestResult[] = [];
  for (const trial of trials) {
    const { iso, firmware } = trial;
    const name = `${iso.name}-${firmware}`;
    const options = { medium: resolve(input.key), directory, name, kvm, memory: trial.memory };
    results.push(
      await task.part(`${iso.name} on ${firmware.toUpperCase()}`, (part) =>
        runTrial(context, firmware === 'uefi' && uefi !== undefined ? { ...options, uefi } : options, trial, part),
      ),
    );
  }
  return { key: input.key, directory, accelerator: kvm ? 'kvm' : 'tcg', results };
}

/** Our imager among what is on a key: no ISO file is called so. */
const imagerName = 'imager';

async function hasImager({ processes }: Pick<Context, 'processes'>, path: string): Promise<boolean> {
  using disk = await BootDisk.open(processes, path, 'read');
  const { partitions } = readDiskStructure((offset, length) => disk.read(offset, length), disk.size, disk.sectorSize);
  const boot = partitions.find(({ number }) => number === bootPartition);
  if (boot === undefined) return false;
  const entries = readFat((offset, length) => disk.read(boot.start + offset, length));
  return entries.some((entry) => entry.path.toLowerCase() === mediumPaths.imagerMenu);
}

async function runTrial(
  { processes, clock }: Pick<Context, 'processes' | 'clock'>,
  options: Parameters<typeof TrialMachine.start>[1],
  trial: IsoTrial,
  task: Task,
): Promise<KeyTestResult> {
  const begun = clock.now();
  await using machine = await TrialMachine.start(processes, options, clock, task.signal);
  const work = trial.iso.name === imagerName ? tryImager : tryIso;
  const outcome = await work(machine, trial, clock, {
    signal: task.signal,
    tell: (stage) => task.log(`${stage} after ${Math.round((clock.now() - begun) / 1000)} s`),
  });
  const seconds = Math.round((clock.now() - begun) / 1000);
  const picture = await machine.picture();
  const { iso, firmware } = trial;
  return {
    iso: iso.name,
    firmware,
    ...outcome,
    seconds,
    log: machine.serialLog,
    ...(picture !== undefined && { picture }),
  };
}

/** What lies in memory whole needs that much more. MiB. */
function memoryFor(iso: { family?: string | undefined; size: number }): number {
  const entry = isoFamilies.find(({ id }) => id === iso.family)?.entries[0];
  const whole = entry?.kind === 'linux' && entry.whole !== undefined;
  return memory + (whole ? Math.ceil((iso.size / 2 ** 20) * 2) : 0);
}

async function makeDirectory(wished: string | undefined): Promise<string> {
  try {
    if (wished === undefined) return await mkdtemp(join(tmpdir(), 'imprint-key-test-'));
    await mkdir(wished, { recursive: true });
    return resolve(wished);
  } catch (error) {
    throw toImprintError(error);
  }
}
