import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import type { Processes } from './run.ts';

/** A partition as the kernel has it now. Bytes. */
export interface KernelPartition {
  number: number;
  device: string;
  start: number;
  size: number;
  /** Where it is mounted. */
  mountPoints: string[];
}

const patience = 60_000;

/** A disk, or an image file, whose boot parts are read and written byte by byte, beside whatever else uses it. */
export class BootDisk implements Disposable {
  /** Links resolved. */
  readonly path: string;
  readonly isDevice: boolean;
  readonly size: number;
  readonly sectorSize: number;
  readonly #fd: number;
  readonly #processes: Processes;

  private constructor(
    processes: Processes,
    path: string,
    fd: number,
    facts: Pick<BootDisk, 'isDevice' | 'size' | 'sectorSize'>,
  ) {
    this.#processes = processes;
    this.path = path;
    this.#fd = fd;
    this.isDevice = facts.isDevice;
    this.size = facts.size;
    this.sectorSize = facts.sectorSize;
  }

  /**
   * Opens it, past what the kernel remembers of it. Errors: `boot-disk-unknown` for what is neither a whole disk nor a file, `not-root`,
   * `io-failed`.
   *
   * @param assumedSector bytes of a sector of an image file that does not tell by itself
   */
  static async open(
    processes: Processes,
    name: string,
    mode: 'read' | 'write',
    assumedSector = 512,
  ): Promise<BootDisk> {
    const path = await realpath(name).catch(() => undefined);
    const unknown = (problem: string) => new ImprintError('boot-disk-unknown', { problem });
    if (path === undefined) throw unknown(`there is no ${name}`);
    const found = await stat(path);
    if (!found.isBlockDevice() && !found.isFile()) throw unknown(`${name} is neither a disk nor a disk image`);
    const isDevice = found.isBlockDevice();
    const sys = `/sys/class/block/${basename(path)}`;
    if (isDevice && (await text(`${sys}/partition`)) !== undefined) {
      const disk = basename(dirname(await realpath(sys)));
      throw unknown(`${path} is a partition; name its disk: /dev/${disk}`);
    }
    if (isDevice) await flushBuffers(processes, [path, ...(await partitionDevices(path))]);
    const fd = attempt(path, () => openSync(path, mode === 'write' ? 'r+' : 'r'));
    const size = isDevice ? Number(await text(`${sys}/size`)) * 512 : attempt(path, () => fstatSync(fd)).size;
    const sectorSize = isDevice
      ? Number(await text(`${sys}/queue/logical_block_size`)) || 512
      : (fileSectorSize(fd, size) ?? assumedSector);
    return new BootDisk(processes, path, fd, { isDevice, size, sectorSize });
  }

  /** Bytes from `offset`; fewer only where the disk ends. */
  read(offset: number, length: number): Buffer {
    const bytes = Buffer.alloc(Math.max(0, Math.min(length, this.size - offset)));
    for (let done = 0; done < bytes.length; ) {
      const count = attempt(this.path, () => readSync(this.#fd, bytes, done, bytes.length - done, offset + done));
      if (count === 0) return bytes.subarray(0, done);
      done += count;
    }
    return bytes;
  }

  /** Errors: `io-failed`, also for what would lie outside. */
  write(offset: number, bytes: Uint8Array): void {
    if (offset < 0 || offset + bytes.length > this.size) {
      throw new ImprintError('io-failed', {
        operation: 'writing',
        path: this.path,
        problem: `it ends before byte ${offset + bytes.length}`,
      });
    }
    for (let done = 0; done < bytes.length; ) {
      done += attempt(this.path, () => writeSync(this.#fd, bytes, done, bytes.length - done, offset + done));
    }
  }

  /** Brings what was written to the disk, and forgets what the kernel remembers: what is read next comes from the disk. */
  async flush(): Promise<void> {
    attempt(this.path, () => fsyncSync(this.#fd));
    if (this.isDevice) await flushBuffers(this.#processes, [this.path, ...(await partitionDevices(this.path))]);
  }

  /** Partitions as the kernel has them; none of a file. */
  async kernelPartitions(): Promise<KernelPartition[]> {
    if (!this.isDevice) return [];
    const mounts = await text('/proc/self/mountinfo');
    const found: KernelPartition[] = [];
    for (const device of await partitionDevices(this.path)) {
      const sys = `/sys/class/block/${basename(device)}`;
      const [number, start, size, numbers] = await Promise.all(
        ['partition', 'start', 'size', 'dev'].map((name) => text(`${sys}/${name}`)),
      );
      const mountPoints = (mounts ?? '')
        .split('\n')
        .map((line) => line.split(' '))
        .filter((fields) => fields[2] === numbers)
        .map((fields) => fields[4] ?? '');
      found.push({ number: Number(number), device, start: Number(start) * 512, size: Number(size) * 512, mountPoints });
    }
    return found.sort((left, right) => left.number - right.number);
  }

  /** Has the kernel read a new table. It may refuse while the disk is in use: false. */
  async rereadTable(): Promise<boolean> {
    if (!this.isDevice) return true;
    const { status } = await this.#processes.run('partx', ['--update', this.path], {
      timeout: patience,
      accept: [0, 1],
    });
    return status === 0;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

async function partitionDevices(disk: string): Promise<string[]> {
  const name = basename(disk);
  const children = await readdir(`/sys/class/block/${name}`).catch((): string[] => []);
  const found: string[] = [];
  for (const child of children.filter((each) => each.startsWith(name))) {
    if ((await text(`/sys/class/block/${child}/partition`)) !== undefined) found.push(`/dev/${child}`);
  }
  return found;
}

/** What a partition's own device wrote is not what the disk's device remembers, and the other way round. */
async function flushBuffers(processes: Processes, devices: readonly string[]): Promise<void> {
  await processes.run('blockdev', ['--flushbufs', ...devices], { timeout: patience, accept: [0, 1] });
}

/** An image tells the size of its sectors by where either copy of its GPT lies. */
function fileSectorSize(fd: number, size: number): number | undefined {
  const isHeader = (at: number) => {
    const mark = Buffer.alloc(8);
    if (at > 0) readSync(fd, mark, 0, mark.length, at);
    return mark.toString('latin1') === 'EFI PART';
  };
  return [512, 4096].find((sector) => isHeader(sector)) ?? [512, 4096].find((sector) => isHeader(size - sector));
}

async function text(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').then(
    (content) => content.trim(),
    () => undefined,
  );
}

function attempt<Result>(path: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    const isRefused = failure.code === 'EACCES' || failure.code === 'EPERM';
    // Root is refused, too: in a container.
    if (isRefused && process.getuid?.() !== 0) {
      throw new ImprintError('not-root', { action: `Reading or writing ${path}` }, { cause: error });
    }
    throw toImprintError(Object.assign(failure, { path }));
  }
}
