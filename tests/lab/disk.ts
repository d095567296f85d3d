import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { systemProcesses } from '../../src/system/run.ts';

/** A new qcow2 disk without content. `size` as `qemu-img` takes it: `4G`. */
export async function makeDisk(path: string, size: string): Promise<void> {
  await systemProcesses.run('qemu-img', ['create', '-q', '-f', 'qcow2', path, size], { timeout: 30_000 });
}

/** A qcow2 disk over `base`, which is only read. */
export async function overlayDisk(path: string, base: string, format: 'raw' | 'qcow2' = 'raw'): Promise<void> {
  await systemProcesses.run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', format, path], {
    timeout: 30_000,
  });
}

/** SHA-256 of a qcow2 disk as its machine sees it. The machine may run: the disk is read as it is on the host now. */
export async function hashDisk(path: string): Promise<string> {
  const raw = `${path}.hash.raw`;
  try {
    await systemProcesses.run('qemu-img', ['convert', '-U', '-f', 'qcow2', '-O', 'raw', path, raw], {
      timeout: 120_000,
    });
    const hash = createHash('sha256');
    for await (const piece of createReadStream(raw, { highWaterMark: 1 << 20 })) hash.update(piece);
    return hash.digest('hex');
  } finally {
    await rm(raw, { force: true });
  }
}
