import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type DebianMirror, findDebianMirror } from '../src/system/debian-mirror.ts';

/** Two states of one Debian: as its point release was, and after its updates and security updates. */
export interface DebianTrees {
  before: string;
  after: string;
}

const suite = 'bookworm';

/** A server that is also a workshop: more than 60,000 files and 2 GB, of every kind that a system has. */
const packages = [
  'systemd-sysv',
  'openssh-server',
  'linux-image-amd64',
  'linux-headers-amd64',
  'nginx',
  'apache2',
  'postgresql',
  'mariadb-server',
  'samba',
  'bind9',
  'openjdk-17-jdk-headless',
  'gcc',
  'golang-go',
  'nodejs',
  'python3-dev',
  'emacs-nox',
  'texlive-latex-recommended',
  'vim',
  'git',
];

/**
 * The trees that are measured, in `cache`: made once by mmdebstrap, the second by upgrading a copy of the first, and kept. Device nodes are
 * taken out, since ostree refuses them. Needs root and a Debian mirror, the one that this machine's apt uses.
 */
export async function prepareDebianTrees(cache: string, say: (message: string) => void): Promise<DebianTrees> {
  const trees = debianTreesIn(cache);
  if (existsSync(trees.before) && existsSync(trees.after)) return trees;
  mkdirSync(cache, { recursive: true });
  const mirror = await findDebianMirror(suite);
  if (mirror.sources.length === 0)
    throw new Error(
      `apt of this machine knows no source of Debian ${suite}: name one, with its updates, in sources.list`,
    );
  if (!existsSync(trees.before)) {
    say(`building a Debian in ${trees.before} by mmdebstrap, once`);
    makeAside(trees.before, (directory) => install(directory, mirror));
  }
  say(`upgrading a copy of it in ${trees.after}, once`);
  makeAside(trees.after, (directory) => {
    execFileSync('cp', ['-a', `${trees.before}/.`, directory]);
    upgrade(directory, mirror);
  });
  return trees;
}

/** Where they lie, whether they were made or not. */
export function debianTreesIn(cache: string): DebianTrees {
  return { before: join(cache, 'debian-before'), after: join(cache, 'debian-after') };
}

function makeAside(target: string, make: (directory: string) => void): void {
  const making = `${target}.making`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making);
  make(making);
  execFileSync('find', [
    making,
    '-xdev',
    '(',
    '-type',
    'b',
    '-o',
    '-type',
    'c',
    '-o',
    '-type',
    'p',
    '-o',
    '-type',
    's',
    ')',
    '-delete',
  ]);
  renameSync(making, target);
}

function install(directory: string, { sources, aptOptions }: DebianMirror): void {
  const release = sources.filter((line) => !line.includes(`${suite}-`));
  run('mmdebstrap', [
    '--variant=apt',
    '--dpkgopt=force-unsafe-io',
    ...aptOptions,
    `--include=${packages.join(',')}`,
    suite,
    directory,
    ...release,
  ]);
}

/** As an administrator would, but in the tree: with its services kept from starting, in namespaces that end with it. */
function upgrade(directory: string, { sources, aptOptions }: DebianMirror): void {
  writeFileSync(join(directory, 'etc/apt/sources.list'), `${sources.join('\n')}\n`);
  const policy = join(directory, 'usr/sbin/policy-rc.d');
  writeFileSync(policy, '#!/bin/sh\nexit 101\n');
  chmodSync(policy, 0o755);
  copyFileSync('/etc/resolv.conf', join(directory, 'etc/resolv.conf'));
  const options = [
    ...aptOptions.map((option) => option.replace(/^--aptopt=/, '')),
    'Dpkg::Options { "--force-confold"; "--force-unsafe-io"; };',
  ];
  const configuration = join(directory, 'etc/apt/apt.conf.d/99bench');
  writeFileSync(configuration, `${options.join('\n')}\n`);
  const script = [
    'set -e; mount -t tmpfs none "$1/dev"',
    'for n in null zero full random urandom; do : > "$1/dev/$n"; mount --bind "/dev/$n" "$1/dev/$n"; done',
    'DEBIAN_FRONTEND=noninteractive chroot "$1" sh -c "apt-get -q update && apt-get -q -y dist-upgrade && apt-get clean"',
  ].join('\n');
  run('unshare', [
    '--mount',
    '--pid',
    '--fork',
    `--mount-proc=${join(directory, 'proc')}`,
    'sh',
    '-c',
    script,
    'sh',
    directory,
  ]);
  for (const left of [policy, configuration]) rmSync(left);
  for (const name of readdirSync(join(directory, 'var/lib/apt/lists')))
    rmSync(join(directory, 'var/lib/apt/lists', name), { recursive: true, force: true });
}

function run(command: string, args: string[]): void {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', process.stderr, 'inherit'] });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} failed (${status})`);
}
