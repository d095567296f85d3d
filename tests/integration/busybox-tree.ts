import { chmod, copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const commands = [
  'sh',
  'cat',
  'chmod',
  'dd',
  'echo',
  'env',
  'false',
  'grep',
  'hostname',
  'ls',
  'mkdir',
  'mknod',
  'mount',
  'mv',
  'rm',
  'sleep',
  'touch',
  'true',
];

/** A root tree in which a shell runs and little else: busybox and a few files, as a package manager's system would have them. */
export async function makeBusyboxTree(root: string, files: Readonly<Record<string, string>> = {}): Promise<void> {
  for (const directory of ['bin', 'etc', 'tmp', 'usr/sbin', 'var/lib/dpkg'])
    await mkdir(join(root, directory), { recursive: true });
  await copyFile('/bin/busybox', join(root, 'bin/busybox'));
  for (const command of commands) await symlink('busybox', join(root, 'bin', command));
  await writeFile(join(root, 'etc/hostname'), 'golden\n');
  await writeFile(join(root, 'etc/os-release'), 'ID=test\nVERSION_ID="1"\n');
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), text);
    if (text.startsWith('#!')) await chmod(join(root, path), 0o755);
  }
}
