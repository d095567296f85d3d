import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findDebianMirror } from '../../src/system/debian-mirror.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { cached, locked } from './cache.ts';

const minute = 60_000;

/** Which Debian a golden machine is, and what makes its initramfs. */
export interface GoldenRelease {
  readonly suite: 'bookworm' | 'trixie';
  readonly initramfs: 'initramfs-tools' | 'dracut';
  /** `stack`: with the tools of arrays, volume groups, encryption and every file system, as a machine needs them whose disks are put together so. */
  readonly more?: keyof typeof morePackages;
}

const bookworm: GoldenRelease = { suite: 'bookworm', initramfs: 'initramfs-tools' };

/** What a small server has. The kernel is the cloud one: it boots fastest and has all that QEMU's machines need. */
const packages = [
  'linux-image-cloud-amd64',
  'zstd',
  'systemd',
  'systemd-sysv',
  'udev',
  'dbus',
  'openssh-server',
  'nginx-light',
  'iproute2',
  'ca-certificates',
  'libcap2-bin',
  'lvm2',
];

const morePackages = {
  stack: [
    ...['mdadm', 'cryptsetup', 'cryptsetup-initramfs', 'thin-provisioning-tools'],
    ...['btrfs-progs', 'xfsprogs', 'dosfstools'],
  ],
} as const;

export const goldenPage = '<!doctype html><title>golden</title><h1>This page was made on the golden machine.</h1>\n';

/** What lies on the golden machine beside its packages. */
const files: Readonly<Record<string, string>> = {
  '/etc/hostname': 'golden\n',
  '/etc/hosts': '127.0.0.1\tlocalhost\n127.0.1.1\tgolden\n::1\tlocalhost ip6-localhost ip6-loopback\n',
  '/etc/systemd/network/20-wired.network':
    '[Match]\nName=en* eth*\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n\n[DHCPv4]\nClientIdentifier=mac\n',
  '/var/www/html/index.html': goldenPage,
  '/etc/systemd/system/e2e-ready.service': [
    '[Unit]',
    'Description=Say on the console that all is up',
    'After=multi-user.target nginx.service ssh.service systemd-networkd.service',
    '',
    '[Service]',
    'Type=oneshot',
    'ExecStart=/bin/sh -c \'echo "E2E-READY $(uname -n) $(uname -r)" > /dev/console\'',
    '',
    '[Install]',
    'WantedBy=graphical.target',
    '',
  ].join('\n'),
  '/etc/default/grub': [
    'GRUB_DEFAULT=0',
    'GRUB_TIMEOUT=1',
    'GRUB_CMDLINE_LINUX_DEFAULT=""',
    'GRUB_CMDLINE_LINUX="console=ttyS0,115200 mitigations=off no_timer_check nokaslr"',
    '',
  ].join('\n'),
};

/** Units that would only keep an emulated machine busy. */
const masked = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_reap.service',
  'e2scrub_all.timer',
  'lvm2-monitor.service',
  'lvm2-lvmpolld.socket',
  'dm-event.socket',
  'blk-availability.service',
];

const left = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*'];

/** A golden machine's disk and what is needed to boot and enter it; all in the cache, to be read only. */
export interface Golden {
  /** Raw image: GPT, a BIOS boot partition, an ext4 root. Put an overlay over it. */
  readonly disk: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly commandLine: string;
  /** Private ssh key that opens it as root, and everything captured from it. */
  readonly sshKey: string;
}

export const rootPassword = 'imprint';
const rootUuid = '6d0f4b7e-0d57-4a0c-9a3e-3f1f5a1c2b09';
/** No `quiet`: what the kernel says is what a failed test is understood by. */
const commandLine = `root=UUID=${rootUuid} ro console=ttyS0,115200 mitigations=off no_timer_check nokaslr`;

/**
 * The golden machine's disk, made at the first call (about 90 CPU seconds) and cached by what it is made of. Default: Debian 12 with
 * initramfs-tools.
 */
export async function goldenMachine(release: GoldenRelease = bookworm): Promise<Golden> {
  const recipe = await readFile(import.meta.filename, 'utf8');
  const { suite, initramfs, more } = release;
  const parts = [suite, initramfs, ...(more === undefined ? [] : [more])];
  const name = release === bookworm ? 'golden' : ['golden', ...parts].join('-');
  const directory = await locked(name, () => cached(name, [recipe, ...parts], (made) => build(made, release)));
  return {
    disk: join(directory, 'disk.raw'),
    kernel: join(directory, 'vmlinuz'),
    initrd: join(directory, 'initrd.img'),
    commandLine,
    sshKey: join(directory, 'id_ed25519'),
  };
}

async function build(directory: string, release: GoldenRelease): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'imprint-golden-'));
  const tree = join(work, 'root');
  try {
    await bootstrap(tree, release);
    const key = await laboratoryKey();
    for (const end of ['', '.pub']) await copyFile(`${key}${end}`, join(directory, `id_ed25519${end}`));
    await customise(tree, await readFile(`${key}.pub`, 'utf8'));
    await takeBootFiles(tree, directory);
    await makeImage(tree, join(directory, 'disk.raw'));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** One key opens the golden machines of all releases: a machine that is brought from one to another stays open. */
async function laboratoryKey(): Promise<string> {
  const directory = await locked('ssh-key', () =>
    cached('ssh-key', ['ed25519'], async (made) => {
      const key = join(made, 'id_ed25519');
      await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'imprint laboratory', '-f', key]);
    }),
  );
  return join(directory, 'id_ed25519');
}

async function bootstrap(tree: string, { suite, initramfs, more }: GoldenRelease): Promise<void> {
  const mirror = await findDebianMirror(suite);
  await run('mmdebstrap', [
    ...['--mode=root', '--variant=minbase', '--format=directory', '--architectures=amd64', '--quiet'],
    `--include=${[...packages, initramfs, ...(more === undefined ? [] : morePackages[more])].join(',')}`,
    ...left.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    ...mirror.aptOptions,
    ...[suite, tree, ...mirror.sources],
  ]);
  // How this machine fetches packages is none of the golden machine's business.
  await rm(join(tree, 'etc/apt/apt.conf.d/99mmdebstrap'), { force: true });
}

async function customise(tree: string, publicKey: string): Promise<void> {
  const written = {
    ...files,
    '/root/.ssh/authorized_keys': publicKey,
    '/etc/fstab': `UUID=${rootUuid}\t/\text4\terrors=remount-ro\t0\t1\n`,
  };
  for (const [path, content] of Object.entries(written)) {
    await mkdir(dirname(join(tree, path)), { recursive: true, mode: path.startsWith('/root/') ? 0o700 : 0o755 });
    await writeFile(join(tree, path), content);
  }
  await rm(join(tree, 'etc/machine-id'), { force: true });
  await run('chroot', [tree, 'systemd-machine-id-setup']);
  await run('chroot', [tree, 'chpasswd'], `root:${rootPassword}\n`);
  await run('chroot', [tree, 'systemctl', 'enable', '--quiet', 'systemd-networkd', 'nginx', 'ssh', 'e2e-ready']);
  await run('chroot', [tree, 'systemctl', 'mask', '--quiet', ...masked]);
  await run('chroot', [tree, 'systemctl', 'set-default', 'graphical.target']);
  // Host keys of its own, as any machine has them: what must not be found on another one later.
  await run('chroot', [tree, 'ssh-keygen', '-A']);
}

async function takeBootFiles(tree: string, directory: string): Promise<void> {
  const names = await readdir(join(tree, 'boot'));
  for (const [prefix, name] of [
    ['vmlinuz-', 'vmlinuz'],
    ['initrd.img-', 'initrd.img'],
  ] as const) {
    const found = names.find((each) => each.startsWith(prefix));
    if (found === undefined) throw new Error(`no /boot/${prefix}* in the golden machine's tree`);
    await run('cp', [join(tree, 'boot', found), join(directory, name)]);
  }
}

/** GPT with a BIOS boot partition and a root from 2 MiB on: a disk as an installer would have left it. */
async function makeImage(tree: string, image: string): Promise<void> {
  await run('truncate', ['-s', '2G', image]);
  const table = 'label: gpt\nstart=1MiB, size=1MiB, type=21686148-6449-6E6F-744E-656564454649\nstart=2MiB, type=L\n';
  await run('sfdisk', ['--quiet', image], table);
  await run('mke2fs', [
    ...['-q', '-F', '-t', 'ext4', '-L', 'golden-root', '-U', rootUuid],
    ...['-E', `offset=${2 << 20},root_owner=0:0`, '-d', tree, image, '2044M'],
  ]);
}

async function run(tool: string, args: readonly string[], input?: string): Promise<void> {
  await systemProcesses.run(tool, args, { timeout: 10 * minute, ...(input === undefined ? {} : { input }) });
}
