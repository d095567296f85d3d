import { splitKernelOptions } from '../machine/kernel-options.ts';
import { parseMountInfo } from '../machine/mounts.ts';

/** What a system that runs can tell of its root. What it could not tell is absent. */
export interface RootFacts {
  /** `/proc/self/mountinfo` */
  readonly mounts: string;
  /** `/proc/cmdline`: in a container that of its host. */
  readonly commandLine: string;
  /** What it is a container of: `docker`, `lxc`. */
  readonly container?: string;
  /** Where the root is a device of the device mapper: its name and its table. */
  readonly mapped?: { readonly name: string; readonly table: string };
  /** Whether `/boot` has one: a version without starts nowhere. */
  readonly hasKernel: boolean;
}

/** Kinds of systems in which nobody answers who could move them. */
export type RootKind =
  | 'ours'
  | 'container'
  | 'live-boot'
  | 'casper'
  | 'dracut-overlay'
  | 'dracut-mapped'
  | 'overlay'
  | 'read-only'
  | 'memory'
  | 'installed'
  | 'network'
  | 'unknown';

/** What a system is that cannot move onto a disk while it runs, why, and what gives its user the same. */
export interface RecognisedRoot {
  readonly kind: RootKind;
  readonly problem: string;
  readonly hint: string;
}

const ourRoot = '/dev/mapper/imprint-root';
const networkTypes = /^(?:nfs4?|cifs|smb3|9p|virtiofs|ceph|glusterfs)$/;

/** Recognises a system by its root. */
export function recogniseRoot(facts: RootFacts): RecognisedRoot {
  const root = parseMountInfo(facts.mounts).findLast(({ mountPoint }) => mountPoint === '/');
  const [type, source, superOptions] = [root?.type ?? '', root?.source ?? '', superOptionsOf(facts.mounts)];
  const words = splitKernelOptions(facts.commandLine);
  if (source === ourRoot)
    return {
      kind: 'ours',
      problem: 'it is a live system of Imprint, and what serves its root does not answer',
      hint: 'It was started by its server, which moves it: imprint watch, there. Or its move is done: imprint slots.',
    };
  if (facts.container !== undefined)
    return {
      kind: 'container',
      problem: `it is a container (${facts.container}), and its root is part of another system's`,
      hint: `To have it on a machine of its own: imprint capture / --name web (or its image: imprint capture oci-archive:FILE --name web), add a kernel (imprint edit web), and then ${installWords}.`,
    };
  if (type === 'overlay' || type === 'aufs') return overlaid(facts, words, { source, superOptions });
  if (source === '/dev/mapper/live-rw' || (facts.mapped?.name === 'live-rw' && isDracut(words)))
    return dracutMapped(facts);
  if (type === 'squashfs' || type === 'erofs' || type === 'iso9660')
    return { kind: 'read-only', problem: `its root is a ${type}, which cannot be written to`, hint: instead(facts) };
  if (type === 'tmpfs' || type === 'ramfs' || type === 'rootfs')
    return {
      kind: 'memory',
      problem: `its root is memory (${type}): a tree of files, and no block device that a disk could take the place of`,
      hint: instead(facts),
    };
  if (networkTypes.test(type))
    return {
      kind: 'network',
      problem: `its root lies on a server (${type}, ${source}), and is no block device that a disk could take the place of`,
      hint: instead(facts),
    };
  if (source.startsWith('/dev/')) return installed(words, source);
  return {
    kind: 'unknown',
    problem: `it is none that Imprint knows (its root: ${type || 'none'})`,
    hint: instead(facts),
  };
}

/** Several layers: which system lays them, and where what is written goes. */
function overlaid(
  facts: RootFacts,
  words: readonly string[],
  { source, superOptions }: { source: string; superOptions: string },
): RecognisedRoot {
  const why = 'its root is an overlay of several file systems, and no block device that a disk could take the place of';
  if (words.includes('boot=casper') || source === '/cow')
    return {
      kind: 'casper',
      problem: `it is a live system of Ubuntu’s kind (casper): ${why}`,
      // On a stick the medium is a FAT like every other.
      hint: instead(facts, " --exclude '/cdrom/*'"),
    };
  if (words.includes('boot=live') || superOptions.includes('/run/live/'))
    return { kind: 'live-boot', problem: `it is a live system of Debian’s live-boot: ${why}`, hint: instead(facts) };
  if (source === 'LiveOS_rootfs' || isDracut(words))
    return { kind: 'dracut-overlay', problem: `it is a live system of dracut’s kind: ${why}`, hint: instead(facts) };
  return { kind: 'overlay', problem: why, hint: instead(facts) };
}

/** The one foreign root that is a block device. */
function dracutMapped(facts: RootFacts): RecognisedRoot {
  const target = facts.mapped?.table.split(' ')[2];
  const what = {
    snapshot: 'a snapshot of its medium, with what was written in memory or on a stick beside it',
    thin: 'a thin snapshot of its medium',
    linear: 'a copy of its medium in memory',
  }[target ?? ''];
  return {
    kind: 'dracut-mapped',
    problem: `it is a live system of dracut’s kind, and its root (/dev/mapper/live-rw) is ${what ?? 'a device of the device mapper'}; only roots that Imprint itself started are moved`,
    hint: instead(facts),
  };
}

function installed(words: readonly string[], source: string): RecognisedRoot {
  const ours = words.some((word) => word.startsWith('imprint.slot='));
  return {
    kind: 'installed',
    problem: `it is installed already, on ${source}`,
    hint: ours
      ? 'For a newer version: imprint update. For the same on another machine: imprint capture / --name web, and then imprint install MACHINE --image web.'
      : `To have the same on another machine: imprint capture / --name web, and then ${installWords}. To install this one anew, name it at its server: imprint install MACHINE.`,
  };
}

const installWords =
  'imprint media usb /dev/sdX --image web --live, or by a server: imprint install MACHINE --image web';

/** The way onto the disk that every live system has: it is taken as it runs, with all that was changed in it. */
function instead({ hasKernel }: RootFacts, more = ''): string {
  const kernel = hasKernel
    ? ''
    : ' It has no kernel in /boot, which a version needs: install it first (Debian: apt install --reinstall linux-image-$(uname -r)).';
  return `Take it as it runs for a version: imprint capture / --name web${more} --store DIR, where DIR is on a disk that stays; or at a server: imprint capture ssh://root@HERE --name web${more}. Then install that: ${installWords}.${kernel}`;
}

function isDracut(words: readonly string[]): boolean {
  return words.some((word) => /^(?:root=live:|rd\.live\.)/.test(word));
}

/** Of the root: for an overlay they name its layers. */
function superOptionsOf(mounts: string): string {
  const line = mounts.split('\n').findLast((each) => each.split(' ')[4] === '/') ?? '';
  return line.split(' - ')[1]?.split(' ')[2] ?? '';
}
