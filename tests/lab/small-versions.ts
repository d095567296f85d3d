import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemProcesses } from '../../src/system/run.ts';
import { seededRandom } from './cut-plan.ts';

/**
 * Small systems for the bulk of the power cuts: a kernel and an initrd that say whose they are, two hundred files of which one in five differs
 * from version to version, files that come and go, links, modes. `numbers`: which versions; each becomes `DIRECTORY/vN`.
 */
export async function makeSmallVersions(directory: string, numbers: readonly number[]): Promise<void> {
  for (const number of numbers) await makeVersion(join(directory, `v${number}`), number);
}

async function makeVersion(root: string, number: number): Promise<void> {
  for (const path of ['boot', 'etc', 'sbin', 'usr/lib', 'usr/share', `usr/lib/modules/6.1.${number}`]) {
    await mkdir(join(root, path), { recursive: true });
  }
  await writeFile(join(root, `boot/vmlinuz-6.1.${number}`), Buffer.alloc(2 << 20, `kernel of v${number} `));
  await writeFile(join(root, `boot/initrd.img-6.1.${number}`), Buffer.alloc(3 << 20, `initrd of v${number} `));
  await writeFile(join(root, `usr/lib/modules/6.1.${number}/modules.dep`), `of v${number}\n`);
  await writeFile(join(root, 'etc/version'), `v${number}\n`);
  await writeFile(join(root, 'sbin/init'), `#!/bin/sh\necho v${number}\n`);
  await chmod(join(root, 'sbin/init'), 0o755);
  await symlink(`version-of-v${number}`, join(root, 'etc/link'));
  const random = seededRandom(42);
  for (let index = 0; index < 200; index += 1) {
    const size = Math.floor(random() * 60_000) + 1;
    const changes = index % 5 === 0;
    const text = `file ${index} ${changes ? `of v${number}` : 'of all'} `;
    // Some are only there in every second version.
    if (index % 20 === 1 && number % 2 === 0) continue;
    const path = join(root, `usr/share/file-${index}`);
    await writeFile(path, Buffer.alloc(size, text));
    await chmod(path, index % 7 === 0 && number % 2 === 0 ? 0o600 : 0o644);
  }
  // Times are the version's, as in an image: what was not changed keeps its time.
  await systemProcesses.run(
    'find',
    [root, '-exec', 'touch', '--no-dereference', '--date=2026-01-02T03:04:05Z', '{}', '+'],
    {
      timeout: 60_000,
    },
  );
}

/** How the tree `root` differs from the version `expected`, but for `except`; lines of rsync. Empty: in nothing. */
export async function treeProblems(expected: string, root: string, except: readonly string[] = []): Promise<string[]> {
  const { stdout } = await systemProcesses.run(
    'rsync',
    [
      ...['--dry-run', '--itemize-changes', '--recursive', '--links', '--perms', '--owner', '--group', '--checksum'],
      ...['--delete', '--exclude=/lost+found', ...except.map((path) => `--exclude=/${path}`)],
      ...[`${expected}/`, `${root}/`],
    ],
    { timeout: 120_000 },
  );
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .slice(0, 10);
}
