import type { RawPath } from '../foundation/brand.ts';
import { type Excluder, parseExcludes } from './exclude.ts';
import type { InstalledLayout } from './installed-layout.ts';

/**
 * What belongs to a machine and not to its version: never overwritten, never removed by an update in place. What a new version brings anew below
 * them (the directory of a new service, say) is added where nothing is. Globs as for excludes; `!` takes back; people add their own after these (`keep:`).
 */
const defaultOwnPaths: readonly string[] = [
  // Who it is.
  '/etc/hostname',
  '/etc/hosts',
  '/etc/machine-id',
  '/etc/machine-info',
  '/etc/ssh/ssh_host_*',
  '/etc/dropbear/dropbear_*_host_key',
  '/etc/fstab',
  '/etc/crypttab',
  '/etc/cryptsetup-keys.d/*',
  '/etc/mdadm.conf',
  '/etc/mdadm/mdadm.conf',
  '/etc/mtab',
  '/etc/adjtime',
  '/etc/resolv.conf',
  '/etc/network/interfaces',
  '/etc/network/interfaces.d/*',
  '/etc/systemd/network/*',
  '/etc/NetworkManager/system-connections/*',
  '/etc/netplan/*',
  '/etc/wireguard/*',
  '/etc/iscsi/initiatorname.iscsi',
  '/etc/krb5.keytab',
  '/etc/credstore.encrypted/*',
  '/etc/ssl/private/ssl-cert-snakeoil.key',
  '/etc/ssl/certs/ssl-cert-snakeoil.pem',
  '/etc/udev/rules.d/70-persistent-*.rules',
  '/.autorelabel',
  // How it boots: that is on the boot partition, or was written for this disk.
  '/boot/grub/*',
  '/boot/grub2/*',
  '/boot/efi/*',
  '/boot/loader/*',
  // What it holds and what it did.
  '/home/*',
  '/root/*',
  '/srv/*',
  '/mnt/*',
  '/media/*',
  '/hostpart/*',
  '/tmp/*',
  '/var/tmp/*',
  '/var/log/*',
  '/var/mail/*',
  '/var/spool/*',
  '/var/cache/*',
  '/var/crash/*',
  '/var/backups/*',
  '/var/lib/*',
  '/lost+found',
  '/swapfile',
  // But what says which packages the version has, and how they were set up, is the version's.
  '!/var/lib/dpkg',
  '!/var/lib/dpkg/**',
  '!/var/lib/apt',
  '/var/lib/apt/*',
  '!/var/lib/apt/extended_states',
  '!/var/lib/ucf',
  '!/var/lib/ucf/**',
  '!/var/lib/pam',
  '!/var/lib/pam/**',
  '!/var/lib/rpm',
  '!/var/lib/rpm/**',
  '!/var/lib/alternatives',
  '!/var/lib/alternatives/**',
  '!/var/lib/pacman',
  '/var/lib/pacman/*',
  '!/var/lib/pacman/local',
  '!/var/lib/pacman/local/**',
  '!/var/lib/initramfs-tools',
  '!/var/lib/initramfs-tools/**',
  '!/var/lib/shells.state',
  '!/var/lib/systemd',
  '/var/lib/systemd/*',
  '!/var/lib/systemd/deb-systemd-*',
  '!/var/lib/systemd/deb-systemd-*/**',
];

/** Imprint's own: no update of any kind looks at it by these rules, and nobody can take it back. */
const imprintPaths: readonly string[] = [
  '/.imprint',
  '/usr/lib/imprint',
  '/usr/bin/imprint',
  '/etc/imprint',
  '/var/lib/imprint',
  '/etc/systemd/system/imprint-*',
  '/etc/kernel/*.d/zz-imprint',
  '/etc/initramfs/post-update.d/zz-imprint',
  '/etc/systemd/system/*.wants/imprint-*',
];

/** Files below /etc that programs make of others: nobody edits them, and an old one does not fit new libraries. */
const derivedPaths: readonly string[] = [
  '/etc/ld.so.cache',
  '/etc/ssl/certs/**',
  '/etc/.updated',
  '/etc/.pwd.lock',
  '/etc/udev/hwdb.bin',
  '/etc/alternatives/**',
  '/etc/rc?.d/**',
];

/** Whose a path is: `own` the machine's, `imprint` ours, `configuration` the version's but made to be edited, `program` the version's. */
export type PathArea = 'own' | 'imprint' | 'configuration' | 'program';

/** What lies in partitions that live through reinstalls lives through updates, too. */
export function keptMountGlobs({ data = [] }: Pick<InstalledLayout, 'data'>): string[] {
  return data.flatMap(({ mount, kept }) =>
    kept ? [`${mount.replaceAll(/[*?[\\]/g, '\\$&').replace(/\/$/, '')}/*`] : [],
  );
}

/**
 * Tells whose a path is, by the default list and `keep`, which comes after it. Fast where paths come by directories. Throws a `RangeError` for a glob that
 * is none.
 */
export function pathAreas(keep: readonly string[] = []): (path: RawPath, directory: boolean) => PathArea {
  const isImprint = withinExcluded(parseExcludes(imprintPaths));
  const isOwn = withinExcluded(parseExcludes([...defaultOwnPaths, ...keep]));
  const derived = parseExcludes(derivedPaths);
  const areaOf = (path: RawPath, directory: boolean): PathArea => {
    if (isImprint(path, directory)) return 'imprint';
    if (isOwn(path, directory)) return 'own';
    return path.startsWith('etc/') && !derived.excludes(path, directory) ? 'configuration' : 'program';
  };
  // Who walks a tree asks on the way in, and again for what is there.
  let last: { path: RawPath; directory: boolean; area: PathArea } | undefined;
  return (path, directory) => {
    if (last?.path !== path || last.directory !== directory) last = { path, directory, area: areaOf(path, directory) };
    return last.area;
  };
}

/** Directories whose answer is remembered; then it begins anew. */
const remembered = 4096;

/** Whether a path is excluded, or lies below what is. Each directory is looked at once for all that is in it. */
function withinExcluded(excluder: Excluder): (path: RawPath, directory: boolean) => boolean {
  const known = new Map<string, boolean>();
  const isDirectoryWithin = (path: string): boolean => {
    const found = known.get(path);
    if (found !== undefined) return found;
    const within = isParentWithin(path) || excluder.excludes(path as RawPath, true);
    if (known.size >= remembered) known.clear();
    known.set(path, within);
    return within;
  };
  const isParentWithin = (path: string): boolean => {
    const end = path.lastIndexOf('/');
    return end > 0 && isDirectoryWithin(path.slice(0, end));
  };
  return (path, directory) => path !== '' && (isParentWithin(path) || excluder.excludes(path, directory));
}
