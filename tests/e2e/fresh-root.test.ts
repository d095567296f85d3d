import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findDebianMirror } from '../../src/system/debian-mirror.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { cached, locked } from '../lab/cache.ts';

const minute = 60_000;
const suite = 'bookworm';
const checkout = join(import.meta.dirname, '../..');

/** A Debian with nothing of ours in it, as a tar in the cache. */
async function minimalDebian(): Promise<string> {
  const mirror = await findDebianMirror(suite);
  const directory = await locked('minimal', () =>
    cached('minimal', [suite, ...mirror.sources], async (into) => {
      const words = ['--mode=root', '--variant=minbase', '--quiet', ...mirror.aptOptions, suite];
      await run('mmdebstrap', [...words, join(into, 'root.tar'), ...mirror.sources]);
    }),
  );
  return join(directory, 'root.tar');
}

it(
  'set-up, and the tests that run programs, pass in a fresh minimal Debian: our list of packages is complete',
  async () => {
    const work = await mkdtemp(join(tmpdir(), 'imprint-fresh-'));
    const root = join(work, 'root');
    try {
      await mkdir(root);
      await run('tar', ['-x', '-p', '--xattrs', '--xattrs-include=*', '-f', await minimalDebian(), '-C', root]);
      await lendNetwork(root);
      await copyCheckout(join(root, 'imprint'));
      const { stdout, status } = await systemProcesses.run('unshare', [...isolation(), 'sh', '-c', inside(root)], {
        timeout: 50 * minute,
        accept: [0, 1],
        env: { IMPRINT_CACHE: '/tmp/cache', HOME: '/root' },
      });
      expect(status, stdout.slice(-6000)).toBe(0);
      expect(stdout).toMatch(/\n\d+ passed, 0 failed\n/);
    } finally {
      await rm(work, { recursive: true, force: true, maxRetries: 3 });
    }
  },
  55 * minute,
);

/** Mounts and processes of its own: whatever it leaves behind goes with the last of its processes. */
function isolation(): string[] {
  return ['--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private', '--'];
}

function inside(root: string): string {
  return [
    // `ip netns exec` needs a root directory that is a mount point.
    `set -e; mount --bind '${root}' '${root}'; cd '${root}'`,
    'mount -t proc proc proc; mount --rbind /dev dev; mount --rbind /sys sys; mount -t tmpfs run run; mount -t tmpfs tmp tmp',
    // Device names of loop partitions come from the host's udev.
    'mkdir -p run/udev; if [ -d /run/udev ]; then mount --bind /run/udev run/udev; fi',
    "exec chroot . sh -c 'cd /imprint && ./setup && exec ./test integration' 2>&1",
  ].join('\n');
}

/** How this machine reaches packages, given to the fresh one at run time: apt's and npm's configuration, certificates, name service. */
async function lendNetwork(root: string): Promise<void> {
  await rm(join(root, 'etc/apt/apt.conf.d/99mmdebstrap'), { force: true });
  const mirror = await findDebianMirror(suite);
  const options = mirror.aptOptions.map((option) => `${option.replace(/^--aptopt=/, '')}\n`).join('');
  await write(join(root, 'etc/apt/apt.conf.d/80lent'), options);
  for (const [from, to] of [
    ['/etc/resolv.conf', 'etc/resolv.conf'],
    ['/etc/hosts', 'etc/hosts'],
    ['/usr/local/share/ca-certificates', 'usr/local/share/ca-certificates'],
    ['/etc/ssl/certs', 'etc/ssl/certs'],
    [join(homedir(), '.npmrc'), 'root/.npmrc'],
  ] as const) {
    await cp(from, join(root, to), { recursive: true, dereference: true }).catch(() => {});
  }
}

/** The checkout as git knows it, and what is not committed yet; not what was built or installed here. */
async function copyCheckout(into: string): Promise<void> {
  const left = new Set(['node_modules', '.cache', 'dist']);
  await mkdir(into);
  for (const name of await readdir(checkout)) {
    if (!left.has(name)) await cp(join(checkout, name), join(into, name), { recursive: true, verbatimSymlinks: true });
  }
}

async function write(path: string, content: string): Promise<void> {
  await run('sh', ['-c', 'cat > "$1"', 'sh', path], content);
}

async function run(tool: string, args: readonly string[], input?: string): Promise<void> {
  await systemProcesses.run(tool, args, { timeout: 10 * minute, ...(input === undefined ? {} : { input }) });
}
