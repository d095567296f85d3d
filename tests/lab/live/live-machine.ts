import { closeSync, constants, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { liveDevices } from '../../../src/planning/live-tables.ts';
import { systemProcesses } from '../../../src/system/run.ts';
import type { Acknowledged } from './work.ts';

/** What the programs of live systems have in common that are run in machines of their own (`imager-program.ts`). */
export const root = '/run/root';
export const device = `/dev/mapper/${liveDevices.root}`;
export const source = '/dev/vda';
const limit = { timeout: 180_000 };

/** Words of the kernel's command line. */
export const words = new Map(
  readFileSync('/proc/cmdline', 'utf8')
    .trim()
    .split(' ')
    .map((word) => word.split('=') as [string, string]),
);

export function say(text: string): void {
  process.stdout.write(`[${process.uptime().toFixed(1).padStart(6)}] ${text}\n`);
}

/** Mounts the root while `work` goes on. */
export async function mounted<Result>(work: () => Promise<Result>, mountDevice = device): Promise<Result> {
  await mkdir(root, { recursive: true });
  await systemProcesses.run('mount', ['-t', 'ext4', '-o', 'noatime', mountDevice, root], limit);
  try {
    return await work();
  } finally {
    await systemProcesses.run('umount', [root], limit);
  }
}

/** What e2fsck does not like. */
export async function findDamage(checkDevice = device): Promise<string[]> {
  const accept = [0, 1, 2, 4, 8, 12];
  const { status, stdout } = await systemProcesses.run('e2fsck', ['-fn', checkDevice], { ...limit, accept });
  return status === 0 ? [] : [`e2fsck ${status}: ${stdout.replaceAll('\n', ' ')}`];
}

/** The files of the source that nobody changes. */
export async function readSource(): Promise<Map<string, Buffer>> {
  await mkdir(root, { recursive: true });
  await systemProcesses.run('mount', ['-t', 'ext4', '-o', 'ro,noload', source, root], limit);
  try {
    const names = readdirSync(root).filter((name) => name.startsWith('source-'));
    return new Map(names.map((name) => [name, readFileSync(`${root}/${name}`)]));
  } finally {
    await systemProcesses.run('umount', [root], limit);
  }
}

/**
 * Says on the disk itself, past all caches, what was acknowledged: in a log of what was written to it, that stands behind the flush that made it last.
 */
export class DiskAcknowledger implements Disposable {
  readonly #disk: number;
  readonly #at: number;
  readonly #room = Buffer.alloc(3 * 4096);
  /** Where the kernel takes it from: it wants whole sectors of memory. */
  #aligned: number | undefined;

  constructor(disk: string, at: number) {
    this.#disk = openSync(disk, constants.O_RDWR | constants.O_DIRECT);
    this.#at = at;
  }

  tell({ files, churn }: Acknowledged): void {
    for (let from = this.#aligned ?? 0; ; from += 16) {
      const sector = this.#room.subarray(from, from + 512);
      sector.writeUInt32LE(files, 0);
      sector.writeUInt32LE(churn, 4);
      try {
        writeSync(this.#disk, sector, 0, 512, this.#at);
        this.#aligned = from;
        return;
      } catch (error) {
        if (this.#aligned !== undefined || from > 2 * 4096) throw error;
      }
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#disk);
  }
}
