import type { Layout } from '../contract/layout.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { ImageContent } from '../machine/image-content.ts';
import type { InstalledStack } from '../machine/installed-stack.ts';
import { deviceUses, isMountedEarly, layoutDevices } from '../machine/layout-devices.ts';
import type { StoragePart } from '../machine/storage-parts.ts';

interface StackQuestion {
  name: string;
  reference: string;
  content?: ImageContent;
}

/** What an image must bring for a kind of device: its program, and what its initial RAM disk is made with. */
interface Need {
  /** In words. */
  what: string;
  program: StoragePart;
  initramfs: readonly StoragePart[];
  packages: string;
}

const needs = {
  raid: {
    what: 'the arrays',
    program: 'mdadm',
    initramfs: ['hook-mdadm', 'dracut-mdraid'],
    packages: 'mdadm',
  },
  crypt: {
    what: 'the encrypted devices',
    program: 'cryptsetup',
    initramfs: ['hook-cryptroot', 'dracut-crypt'],
    packages: 'cryptsetup (Debian: cryptsetup-initramfs)',
  },
  volume: {
    what: 'the volume groups',
    program: 'lvm',
    initramfs: ['hook-lvm2', 'dracut-lvm'],
    packages: 'lvm2',
  },
  thin: {
    what: 'the thin pools',
    program: 'thin_check',
    initramfs: ['hook-thin', 'dracut-lvm'],
    packages: 'thin-provisioning-tools (device-mapper-persistent-data)',
  },
} as const satisfies Record<string, Need>;

/** Why an image could not live on the devices of a layout: what it lacks, before anything is written. `image-unfit`. */
export function stackProblem(question: StackQuestion, layout: Layout): ImprintError | undefined {
  return problemOf(question, kindsOf(layout), kindsBelowRoot(layout));
}

/** The same of the devices that an install has made. */
export function installedStackProblem(question: StackQuestion, stack: InstalledStack): ImprintError | undefined {
  const parts: [Kind, readonly { root?: true }[]][] = [
    ['raid', stack.raids],
    ['crypt', stack.crypts],
    ['volume', stack.groups],
  ];
  const kinds = parts.filter(([, each]) => each.length > 0).map(([kind]) => kind);
  const below = parts.filter(([, each]) => each.some(({ root }) => root)).map(([kind]) => kind);
  return problemOf(question, kinds, new Set(below));
}

function problemOf(
  { name, reference, content }: StackQuestion,
  kinds: readonly Kind[],
  below: ReadonlySet<Kind>,
): ImprintError | undefined {
  if (content?.storage === undefined) return undefined;
  const has = content.storage;
  for (const kind of kinds) {
    const { what, program, initramfs, packages }: Need = needs[kind];
    const unfit = (problem: string) =>
      new ImprintError('image-unfit', {
        ...{ reference, machine: name, problem },
        hint: `Install ${packages} on the golden machine and capture it again, or choose another layout.`,
      });
    if (!has.has(program)) return unfit(`it has no ${program}, by which it would find ${what}`);
    if (below.has(kind) && !initramfs.some((part) => has.has(part)))
      return unfit(`its initial RAM disk would not find ${what} below its root`);
  }
  if (below.size > 0 && content.kernels[0]?.initrd === undefined) {
    return new ImprintError('image-unfit', {
      ...{ reference, machine: name },
      problem: `its kernel ${content.kernels[0]?.version ?? ''} has no initial RAM disk, which would find what is below its root`,
      hint: 'Install initramfs-tools or dracut on the golden machine and capture it again, or choose another layout.',
    });
  }
  return undefined;
}

type Kind = keyof typeof needs;

function kindsOf({ raids, crypts, volumeGroups }: Layout): Kind[] {
  const isThin = volumeGroups.some(({ volumes }) => volumes.some(({ thinPool }) => thinPool));
  return [
    ...(raids.length > 0 ? (['raid'] as const) : []),
    ...(crypts.length > 0 ? (['crypt'] as const) : []),
    ...(volumeGroups.length > 0 ? (['volume'] as const) : []),
    ...(isThin ? (['thin'] as const) : []),
  ];
}

/** Kinds of devices that must be there before the root and its `/usr` are. */
function kindsBelowRoot(layout: Layout): ReadonlySet<Kind> {
  const devices = layoutDevices(layout);
  const uses = deviceUses(layout);
  const kinds = new Set<Kind>();
  const seen = new Set<string>();
  const go = (ref: string): void => {
    if (seen.has(ref)) return;
    seen.add(ref);
    const device = devices.find((each) => each.ref === ref);
    if (device === undefined) return;
    if (device.kind !== 'partition') kinds.add(device.kind);
    if (device.kind === 'volume' && device.volume.pool !== undefined) kinds.add('thin');
    for (const use of uses) if (use.makes.includes(ref)) go(use.ref);
  };
  for (const device of devices) if (isMountedEarly(device)) go(device.ref);
  return kinds;
}
