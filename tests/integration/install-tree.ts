import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../src/foundation/clock.ts';
import type { ImageContent } from '../../src/machine/image-content.ts';
import type { InstallContext } from '../../src/operations/install/install-context.ts';
import { systemProcesses } from '../../src/system/run.ts';
import type { LoopDisk } from './loop-disk.ts';

/** For installs on this disk of the golden tree, in `golden` of its directory; `add` puts more into that. */
export async function contextFor(
  disk: LoopDisk,
  content: ImageContent,
  add: (golden: string) => Promise<void> = async () => {},
): Promise<InstallContext> {
  const golden = join(disk.directory, 'golden');
  await makeGoldenTree(golden);
  await add(golden);
  return {
    processes: systemProcesses,
    clock: systemClock,
    target: join(disk.directory, 'target'),
    content,
    restore: async (target) => {
      await systemProcesses.run('cp', ['-a', `${golden}/.`, target]);
    },
    // The golden tree has an initrd of nothing; what is in it, and in an addition, is tested elsewhere.
    makers: {
      detect: async () => ({ kind: 'initramfs-tools', modules: new Set() }),
      build: async () => Buffer.from('addition'),
    },
    keptVersion: async () => ({ recordText: '{}', manifest: Buffer.from('manifest') }),
  };
}

/** A tree with what an install needs of one; the kernel is none, but long enough to be read in pieces. */
export async function makeGoldenTree(root: string): Promise<void> {
  for (const directory of ['boot', 'etc/ssh', 'usr/sbin', 'usr/lib64', 'usr/lib/systemd', 'var/lib/systemd']) {
    await mkdir(join(root, directory), { recursive: true });
  }
  await mkdir(join(root, 'etc/systemd/system'), { recursive: true });
  await symlink('usr/sbin', join(root, 'sbin'));
  await writeFile(join(root, 'usr/lib64/ld-linux-x86-64.so.2'), 'loader');
  await writeFile(join(root, 'boot/vmlinuz-6.1.0-9-amd64'), Buffer.alloc(3_000_000, 'old kernel '));
  await writeFile(join(root, 'boot/vmlinuz-6.1.0-10-amd64'), Buffer.alloc(3_000_000, 'new kernel '));
  await writeFile(join(root, 'boot/initrd.img-6.1.0-10-amd64'), Buffer.alloc(5_000_000, 'initrd '));
  await writeFile(join(root, 'usr/sbin/init'), 'init');
  await writeFile(join(root, 'usr/lib/systemd/systemd'), 'systemd');
  await writeFile(join(root, 'usr/sbin/sshd'), 'sshd');
  await writeFile(join(root, 'usr/sbin/make-ssl-cert'), '#!/bin/sh\n');
  await writeFile(join(root, 'etc/hostname'), 'golden\n');
  await writeFile(join(root, 'etc/hosts'), '127.0.0.1\tlocalhost\n127.0.1.1\tgolden\n');
  await writeFile(join(root, 'etc/machine-id'), '0123456789abcdef0123456789abcdef\n');
  await writeFile(join(root, 'etc/ssh/ssh_host_rsa_key'), 'golden secret');
  await writeFile(
    join(root, 'etc/fstab'),
    'UUID=1111 / ext4 errors=remount-ro 0 1\ntmpfs /scratch tmpfs size=1G 0 0\n',
  );
  await writeFile(join(root, 'var/lib/systemd/random-seed'), 'seed');
  await chmod(join(root, 'usr/sbin/init'), 0o755);
}
