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

/**
 * SHA-256 of a qcow2 disk: of what was ever written to it, and where. The machine may run: the disk is read as it is on the host now. What was never
 * written is not read, so an empty disk costs nothing, whatever its size.
 */
export async function hashDisk(path: string): Promise<string> {
  const raw = `${path}.hash.raw`;
  const image = (...args: string[]) => systemProcesses.run('qemu-img', args, { timeout: 120_000 });
  try {
    const { stdout } = await image('map', '-U', '-f', 'qcow2', '--output=json', path);
    const written = (JSON.parse(stdout) as { start: number; length: number; data: boolean }[]).filter(
      ({ data }) => data,
    );
    const hash = createHash('sha256');
    if (written.length > 0) await image('convert', '-U', '-f', 'qcow2', '-O', 'raw', path, raw);
    for (const { start, length } of written) {
      hash.update(`${start}+${length}\n`);
      const stream = createReadStream(raw, { start, end: start + length - 1, highWaterMark: 1 << 20 });
      for await (const piece of stream) hash.update(piece);
    }
    return hash.digest('hex');
  } finally {
    await rm(raw, { force: true });
  }
}
