import { type Layout, type LayoutMount, layoutSchema } from '../contract/layout.ts';
import type { InstallOptions } from '../contract/machine.ts';
import { partitionSlotName } from '../machine/installed-layout.ts';
import { largestSystem, systemsBootSpace, usualSlots, usualSystems } from './install-space.ts';

/** The names of the layouts that are there without a file. */
export const builtInLayouts = ['single', 'slots', 'files', 'multi'] as const;
type BuiltInLayout = (typeof builtInLayouts)[number];

/**
 * The layout that install options mean, as an intent like any other: the disk is ours, with all that is on it, and has what firmware and GRUB read in
 * front (docs/install.md).
 */
export function builtInLayout(options: InstallOptions): Layout {
  const { swap = 0, fileSystem = 'ext4', disk, share } = options;
  // One's own is read from its text (`orderedLayout`).
  const layout: BuiltInLayout = options.layout === undefined || options.layout === 'own' ? 'single' : options.layout;
  const made = { type: fileSystem };
  const slots = options.slots ?? (layout === 'multi' ? usualSystems : usualSlots);
  const slotsOf = (room: object) =>
    Array.from({ length: slots }, (_, index) => ({
      ...{ name: partitionSlotName(index), role: 'slot', fileSystem: made },
      ...room,
    }));
  const systems: Record<BuiltInLayout, () => object[]> = {
    single: () => [{ name: 'root', role: 'root', fileSystem: { ...made, mount: '/' } }],
    slots: () => slotsOf({}),
    files: () => [{ name: 'host', role: 'host', fileSystem: { ...made, label: 'hostpart', mount: '/hostpart' } }],
    // What people keep gets the most of a large disk, systems no more than they can use.
    multi: () => [
      ...slotsOf(share === undefined ? { max: largestSystem } : {}),
      {
        ...{ name: 'share', role: 'share', ...(share === undefined ? {} : { size: share }) },
        fileSystem: { ...made, label: 'share', mount: shareMount },
      },
    ],
  };
  return layoutSchema.parse({
    disks: [
      {
        name: 'disk',
        ...(disk === undefined ? {} : { match: disk }),
        table: 'gpt',
        erase: ['all'],
        partitions: [
          { name: 'bios-boot', role: 'bios-boot' },
          {
            name: 'esp',
            role: 'esp',
            ...(layout === 'files' ? { fileSystem: { type: 'vfat', label: 'EFI-BOOT', mount: '/boot/loader' } } : {}),
          },
          { name: 'boot', role: 'boot', ...(layout === 'multi' ? { size: systemsBootSpace(slots) } : {}) },
          ...(swap > 0 ? [{ name: 'swap', role: 'swap', size: swap }] : []),
          ...systems[layout](),
        ],
      },
    ],
    mounts: layout === 'multi' ? sharedMounts(options.home) : [],
  });
}

/** Where what is everybody's lies. */
const shareMount = '/share';

/** What every system has in common: its temporary files, and `/home` where that is wanted. */
function sharedMounts(home = 'local'): LayoutMount[] {
  const shared = ['/tmp', '/var/tmp', ...(home === 'share' ? ['/home'] : [])];
  return [
    ...shared.map((mount) => ({ source: `${shareMount}${mount}`, mount })),
    ...(home === 'local' || home === 'share' ? [] : [{ source: home, mount: '/home' }]),
  ];
}
