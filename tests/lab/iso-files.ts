import { copyFile, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findDebianMirror } from '../../src/system/debian-mirror.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { cached, locked } from './cache.ts';

const suite = 'bookworm';
const { run } = systemProcesses;
const patience = { timeout: 800_000 };

/** Says on the console that the live system is up, which a getty alone would say of any root. */
const liveMark = 'ISO-READY';
const readyUnit = `[Unit]
Description=Say on the console that all is up
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo "${liveMark} $(uname -r) $(findmnt -no FSTYPE /)" > /dev/console'
[Install]
WantedBy=graphical.target
`;

/** Parts of a kernel that no initial RAM disk of a virtual machine needs: with them it is built, read and unpacked for minutes. */
const spared = ['sound', 'drivers/gpu', 'drivers/net', 'drivers/media', 'drivers/infiniband', 'drivers/iio', 'net'];
const left = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*'];

/** ISO files of real systems, in the cache, to be read only. */
export interface IsoFiles {
  /** Debian with live-boot, as live-build lays it out. */
  readonly live: string;
  /** Debian with dracut’s dmsquash-live, laid out as Fedora’s live ISO. */
  readonly dracut: string;
  /** The Debian installer for the network, with a loopback.cfg. */
  readonly loopback: string;
  /** An ISO laid out as the Debian installer’s, with `NAME.iso.vmlinuz` and `NAME.iso.initrd` beside it. */
  readonly installer: string;
  /** As their packages bring them. */
  readonly memtest: string;
  readonly ipxe: string;
  readonly rescue: string;
}

/** The first of them alone. */
export async function debianLiveIso(): Promise<string> {
  return join(await liveIso('iso-live', ['live-boot', 'live-boot-initramfs-tools'], layLive), 'debian-live.iso');
}

/** All of them; the first call takes some minutes. */
export async function isoFiles(): Promise<IsoFiles> {
  const packages = await locked('iso-packaged', () => cached('iso-packaged', [...packaged, '1'], takePackaged));
  const live = await debianLiveIso();
  const dracut = await liveIso('iso-dracut', ['dracut', 'dracut-live'], layDracut);
  return {
    live,
    dracut: join(dracut, 'dracut-live.iso'),
    loopback: join(packages, 'netinst.iso'),
    installer: join(packages, 'installer.iso'),
    memtest: join(packages, 'memtest86+x64.iso'),
    ipxe: join(packages, 'ipxe.iso'),
    rescue: join(packages, 'grub-rescue-cdrom.iso'),
  };
}

async function liveIso(
  name: string,
  packages: readonly string[],
  lay: (tree: string, iso: string, directory: string) => Promise<void>,
): Promise<string> {
  return locked(name, () =>
    cached(name, [suite, ...packages, ...spared, readyUnit, '1'], async (directory) => {
      const tree = join(directory, 'tree');
      const iso = join(directory, 'iso');
      await bootstrap(tree, packages);
      await mkdir(iso);
      await lay(tree, iso, directory);
      await rm(tree, { recursive: true });
      await rm(iso, { recursive: true });
    }),
  );
}

/** The kernel is the ordinary one: that of clouds knows no USB. */
async function bootstrap(tree: string, packages: readonly string[]): Promise<void> {
  const mirror = await findDebianMirror(suite);
  const all = ['linux-image-amd64', 'zstd', 'systemd', 'systemd-sysv', 'udev', 'util-linux', ...packages];
  await run(
    'mmdebstrap',
    [
      ...['--mode=root', '--variant=minbase', '--format=directory', '--architectures=amd64', '--quiet'],
      `--include=${all.join(',')}`,
      ...left.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
      ...['--dpkgopt=force-confold', '--dpkgopt=path-exclude=/boot/System.map*'],
      ...spared.map((part) => `--dpkgopt=path-exclude=/lib/modules/*/kernel/${part}/*`),
      // The one initial RAM disk is made when all is there.
      `--essential-hook=mkdir -p "$1/etc/initramfs-tools" && echo update_initramfs=no > "$1/etc/initramfs-tools/update-initramfs.conf"`,
      ...mirror.aptOptions,
      ...[suite, tree, ...mirror.sources],
    ],
    patience,
  );
  const files = {
    'etc/systemd/system/iso-ready.service': readyUnit,
    'etc/hostname': 'live\n',
    'etc/fstab': '',
  };
  for (const [path, text] of Object.entries(files)) await writeFile(join(tree, path), text);
  await rm(join(tree, 'etc/apt/apt.conf.d/99mmdebstrap'), { force: true });
  await run('chroot', [tree, 'systemctl', 'enable', 'iso-ready.service'], patience);
  await run('chroot', [tree, 'passwd', '-d', 'root'], patience);
}

async function kernelVersion(tree: string): Promise<string> {
  const [version] = await readdir(join(tree, 'lib/modules'));
  if (version === undefined) throw new Error('the live system has no kernel');
  return version;
}

async function layLive(tree: string, iso: string, directory: string): Promise<void> {
  const version = await kernelVersion(tree);
  await run('chroot', [tree, 'mkinitramfs', '-o', '/boot/initrd.img', version], patience);
  await mkdir(join(iso, 'live'));
  await copyFile(join(tree, `boot/vmlinuz-${version}`), join(iso, 'live/vmlinuz'));
  await copyFile(join(tree, 'boot/initrd.img'), join(iso, 'live/initrd.img'));
  await squash(tree, join(iso, 'live/filesystem.squashfs'));
  await pack(iso, 'DEBIAN_LIVE', join(directory, 'debian-live.iso'));
}

async function layDracut(tree: string, iso: string, directory: string): Promise<void> {
  const version = await kernelVersion(tree);
  const words = ['--no-hostonly', '--add', 'dmsquash-live', '--zstd', '--force', '/boot/initrd.img', version];
  await run('chroot', [tree, 'dracut', '--quiet', ...words], patience);
  await mkdir(join(iso, 'images/pxeboot'), { recursive: true });
  await mkdir(join(iso, 'LiveOS'));
  await copyFile(join(tree, `boot/vmlinuz-${version}`), join(iso, 'images/pxeboot/vmlinuz'));
  await copyFile(join(tree, 'boot/initrd.img'), join(iso, 'images/pxeboot/initrd.img'));
  await squash(tree, join(iso, 'LiveOS/squashfs.img'));
  await pack(iso, 'DRACUT_LIVE', join(directory, 'dracut-live.iso'));
}

async function squash(tree: string, file: string): Promise<void> {
  const without = ['-e', 'boot', '-e', 'var/lib/apt/lists', '-e', 'var/cache'];
  const compressed = ['-comp', 'zstd', '-Xcompression-level', '6', '-no-progress', '-quiet'];
  await run('mksquashfs', [tree, file, '-noappend', ...compressed, ...without], patience);
}

async function pack(tree: string, volume: string, file: string): Promise<void> {
  await run('xorriso', ['-as', 'mkisofs', '-quiet', '-R', '-J', '-V', volume, '-o', file, tree], patience);
}

/** What packages bring: extracted, not installed, so that no machine of developers needs them. */
const packaged = ['debian-installer-12-netboot-amd64', 'memtest86+', 'ipxe', 'grub-rescue-pc'];
const installerImages = 'usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64';

async function takePackaged(directory: string): Promise<void> {
  const packages = join(directory, 'packages');
  const mirror = await findDebianMirror(suite);
  const what = ['--mode=root', '--variant=extract', '--format=directory', '--architectures=amd64', '--quiet'];
  const include = `--include=${packaged.join(',')}`;
  await run('mmdebstrap', [...what, include, ...mirror.aptOptions, suite, packages, ...mirror.sources], patience);
  for (const [path, name] of [
    ['usr/lib/memtest86+/memtest86+x64.iso', 'memtest86+x64.iso'],
    ['usr/lib/ipxe/ipxe.iso', 'ipxe.iso'],
    ['usr/lib/grub-rescue/grub-rescue-cdrom.iso', 'grub-rescue-cdrom.iso'],
  ] as const)
    await copyFile(join(packages, path), join(directory, name));
  await makeInstallers(directory, join(packages, installerImages));
  await rm(packages, { recursive: true });
}

async function makeInstallers(directory: string, images: string): Promise<void> {
  const own = join(directory, 'loopback');
  const config = "menuentry 'Install' {\n  linux /linux priority=low ---\n  initrd /initrd.gz\n}\n";
  await mkdir(join(own, 'boot/grub'), { recursive: true });
  for (const name of ['grub.cfg', 'loopback.cfg']) await writeFile(join(own, 'boot/grub', name), config);
  for (const name of ['linux', 'initrd.gz']) await copyFile(join(images, name), join(own, name));
  await run('grub-mkrescue', ['-o', join(directory, 'netinst.iso'), own, '--', '-volid', 'NETINST'], patience);
  const tree = join(directory, 'installer');
  await mkdir(join(tree, 'install.amd'), { recursive: true });
  await mkdir(join(tree, '.disk'));
  await writeFile(join(tree, '.disk/info'), 'Debian GNU/Linux 12 "Bookworm" - an ISO of the laboratory\n');
  await copyFile(join(images, 'linux'), join(tree, 'install.amd/vmlinuz'));
  await copyFile(join(images, 'initrd.gz'), join(tree, 'install.amd/initrd.gz'));
  await pack(tree, 'INSTALLER', join(directory, 'installer.iso'));
  await copyFile(join(images, 'linux'), join(directory, 'installer.iso.vmlinuz'));
  await copyFile(join(images, 'initrd.gz'), join(directory, 'installer.iso.initrd'));
  for (const each of [own, tree]) await rm(each, { recursive: true });
}
