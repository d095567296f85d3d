import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { Task } from '../../../src/foundation/task.ts';
import { buildCpio } from '../../../src/netboot/cpio.ts';
import { ensureImagerBase } from '../../../src/netboot/imager-base.ts';
import { systemProcesses } from '../../../src/system/run.ts';
import { cacheDirectory } from '../cache.ts';
import { type DirectBoot, directBoot } from '../direct-boot.ts';

const checkout = join(import.meta.dirname, '../../..');

/** A program of a test, and what its machine has. */
export interface ImagerProgram
  extends Pick<DirectBoot, 'directory' | 'words' | 'sources' | 'disks' | 'timeout' | 'memory' | 'heard'> {
  /** TypeScript, bundled with all that it imports. */
  readonly program: string;
  /** Kernel modules that it needs. */
  readonly modules: readonly string[];
}

/**
 * Runs a program as the only one of a machine: kernel, programs and Node of the imager, and nothing of its own way to start. The machine is off when the
 * program ends. What it said.
 */
export async function runInImager({ program, modules, ...boot }: ImagerProgram): Promise<string> {
  const base = await ensureImagerBase({
    ...{ suite: 'bookworm', cache: cacheDirectory(), refresh: false, node: process.execPath, epoch: 946_684_800 },
    ...{ processes: systemProcesses, task: Task.silent() },
  });
  const { outputFiles } = await build({
    ...{ absWorkingDir: checkout, entryPoints: [program], bundle: true, write: false, platform: 'node' },
    ...{ format: 'esm', target: 'node26', logLevel: 'warning' },
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  const init = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8
mount -t tmpfs -o mode=0755,size=90% tmpfs /run
mkdir -p /run/lock
dmesg -n 2
modprobe -a virtio_pci virtio_blk loop dm_mod ext4 ${modules.join(' ')}
node --disable-warning=ExperimentalWarning /usr/lib/program.mjs || echo "PROGRAM-FAILED $?"
poweroff -f
`;
  const overlay = buildCpio(
    [
      { kind: 'file', path: 'init', content: await readFile(join(checkout, 'boot/imager/first-stage')), mode: 0o755 },
      { kind: 'file', path: 'overlay/usr/sbin/imager-init', content: Buffer.from(init), mode: 0o755 },
      { kind: 'file', path: 'overlay/usr/lib/program.mjs', content: outputFiles[0]?.contents ?? Buffer.alloc(0) },
    ],
    0,
  );
  return directBoot({ ...boot, kernel: base.kernel, initrds: [base.archive, Buffer.concat(overlay)] });
}
