import type { Layout } from '../contract/layout.ts';
import type { InstallOptions } from '../contract/machine.ts';
import { ImprintError } from '../foundation/errors.ts';
import { fileSystemOf, type LayoutDevice, layoutDevices } from '../machine/layout-devices.ts';
import { parseLayout } from '../machine/layout-file.ts';
import { parseDiskCount } from '../machine/layout-terms.ts';
import { builtInLayout } from './built-in-layouts.ts';
import { mostSlots } from './install-space.ts';
import type { LayoutSolution } from './layout-solution.ts';

/** The layout that install options mean. Errors: `layout-invalid`, `input-invalid`. */
export function orderedLayout(options: InstallOptions): Layout {
  const { layout, own, disk } = options;
  for (const field of ['share', 'home'] as const) {
    if (options[field] === undefined || layout === 'multi') continue;
    const problem =
      layout === 'own'
        ? `with a layout of your own it stands in ${own?.name ?? 'it'}`
        : 'only the layout multi has a share';
    throw new ImprintError('input-invalid', { field, problem });
  }
  if (layout !== 'own') return builtInLayout(options);
  if (own === undefined)
    throw new ImprintError('input-invalid', { field: 'layout', problem: 'the layout itself is missing' });
  for (const field of ['slots', 'fileSystem', 'swap'] as const) {
    if (options[field] === undefined) continue;
    throw new ImprintError('input-invalid', { field, problem: `with a layout of your own it stands in ${own.name}` });
  }
  const parsed = parseLayout(own.text, own.name);
  if (disk === undefined) return parsed;
  // A machine's own rule says which disk it starts from.
  return {
    ...parsed,
    disks: parsed.disks.map((each) =>
      each.partitions.some(({ role }) => role === 'boot') ? { ...each, match: disk } : each,
    ),
  };
}

/** What of a layout no install can do yet; undefined where it can all be done. `layout solve` shows the others. */
export function installProblem(layout: Layout, machine: string): ImprintError | undefined {
  const roles = layoutDevices(layout).map(({ role }) => role);
  const count = (role: string) => roles.filter((each) => each === role).length;
  const devices = layoutDevices(layout);
  const system = devices.find(({ role }) => role === 'root' || role === 'slot' || role === 'host');
  const problems: [boolean, string][] = [
    // Debian's initial RAM disk knows no TPM, and one that was cleared would lock everybody out: a passphrase beside it wants deciding.
    [layout.crypts.some(({ unlock }) => unlock === 'tpm2'), 'encrypted devices that a TPM opens'],
    [layout.swap.some(({ file }) => file !== undefined) && count('root') === 0, 'swap files in slots and image files'],
    [
      devices.some(
        (each) => (fileSystemOf(each)?.subvolumes.length ?? 0) > 0 && (each.role === 'slot' || each.role === 'host'),
      ),
      'subvolumes of slots and of the host partition',
    ],
    [system?.fileSystem?.make !== undefined, 'options of mkfs for the system itself'],
    [count('slot') === 1 || count('slot') > mostSlots, `other than 2 to ${mostSlots} slots`],
    [hostElsewhere(layout), 'a host partition that is not on the disk that the machine starts from'],
    [
      layout.disks.some(({ partitions }) =>
        ['esp', 'boot', 'bios-boot'].some((role) => partitions.filter((each) => each.role === role).length > 1),
      ),
      'two partitions of one role of boot on a disk',
    ],
    [
      devices.some(
        ({ kind, role }) => kind !== 'partition' && role !== undefined && ['esp', 'boot', 'bios-boot'].includes(role),
      ),
      'what firmware and GRUB read on other than partitions',
    ],
    [
      count('esp') === 0 || count('bios-boot') === 0,
      'disks that start on one kind of firmware only (esp and bios-boot)',
    ],
    [
      devices.some((each) => isData(each) && !dataTypes.includes(fileSystemOf(each)?.type ?? 'ext4')),
      `data on other than ${dataTypes.join(', ')}`,
    ],
  ];
  const found = problems.find(([is]) => is);
  return found === undefined ? undefined : cannot(machine, found[1]);
}

/** GRUB looks at it, for images that were dropped there. */
function hostElsewhere(layout: Layout): boolean {
  const host = layoutDevices(layout).find(({ role }) => role === 'host');
  if (host === undefined) return false;
  if (host.kind !== 'partition') return true;
  const { disk } = host;
  return !disk.partitions.some(({ role }) => role === 'boot') || parseDiskCount(disk.count).most > 1;
}

/** Kinds that fstab finds by their UUID, and that are made here. */
const dataTypes = ['ext2', 'ext3', 'ext4', 'xfs', 'btrfs'];

function isData(device: LayoutDevice): boolean {
  const { role } = device;
  const keep = device.kind === 'partition' ? device.partition.keep : undefined;
  return keep === undefined && (role === 'data' || role === 'share' || role === 'home' || role === undefined);
}

/** The same of what was found on the disk. */
export function keptProblem({ disks }: Pick<LayoutSolution, 'disks'>, machine: string): ImprintError | undefined {
  for (const { facts, partitions } of disks) {
    const other = partitions.find(
      ({ kept, entry, extended }) =>
        kept !== undefined &&
        !extended &&
        (entry?.keep === undefined || entry.role === 'foreign' || entry.role === 'esp'),
    );
    if (other !== undefined)
      return cannot(machine, `another system beside this one (partition ${other.number} of ${facts.path} stays)`);
  }
  return undefined;
}

function cannot(machine: string, what: string): ImprintError {
  const problem = `installs cannot make ${what} yet`;
  const hint = 'Look at it with imprint layout solve, and leave it out to install.';
  return new ImprintError('layout-unsolvable', { machine, problem, hint });
}
