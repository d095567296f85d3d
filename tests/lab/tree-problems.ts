import { agentFiles, kernelHooks } from '../../src/machine/agent-files.ts';
import { identityPaths } from '../../src/machine/carried-state.ts';
import { agentPaths } from '../../src/machine/installed-layout.ts';
import { systemProcesses } from '../../src/system/run.ts';

/** What is a machine's own in an installed root, and in no version. */
const own: readonly string[] = [
  ...identityPaths,
  ...Object.values(agentPaths),
  agentFiles.wanted,
  ...kernelHooks.map(({ path }) => path),
  'etc/initramfs',
  'etc/fstab',
  'etc/systemd/system/imprint-*',
  'etc/systemd/system/*.wants/imprint-*',
  'boot/grub',
  'boot/efi',
  'boot/loader',
  'hostpart',
  '.imprint',
  'data0',
  'lost+found',
  'var/lib/systemd/random-seed',
];

/**
 * How the root of an installed system differs from its version, a plain tree: lines of rsync, which looks at types, sizes, times, modes and owners,
 * at most ten. Empty: in nothing but what is the machine's own.
 */
export async function treeProblems(expected: string, root: string): Promise<string[]> {
  const { stdout } = await systemProcesses.run(
    'rsync',
    [
      ...['--dry-run', '--itemize-changes', '--archive', '--omit-dir-times', '--delete'],
      ...own.map((path) => `--exclude=/${path}`),
      ...[`${expected}/`, `${root}/`],
    ],
    { timeout: 120_000 },
  );
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .slice(0, 10);
}
