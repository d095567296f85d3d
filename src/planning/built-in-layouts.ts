import { type Layout, layoutSchema } from '../contract/layout.ts';
import type { InstallOptions } from '../contract/machine.ts';
import { partitionSlotName, type SlotLayout } from '../machine/installed-layout.ts';
import { usualSlots } from './install-space.ts';

/** The names of the layouts that are there without a file. */
export const builtInLayouts = ['single', 'slots', 'files'] as const;

/**
 * The layout that install options mean, as an intent like any other: the disk is ours, with all that is on it, and has what firmware and GRUB read in
 * front (docs/install.md).
 */
export function builtInLayout(options: InstallOptions): Layout {
  const { slots = usualSlots, swap = 0, fileSystem = 'ext4', disk } = options;
  // One's own is read from its text (`orderedLayout`).
  const layout: SlotLayout = options.layout === undefined || options.layout === 'own' ? 'single' : options.layout;
  const made = { type: fileSystem };
  const systems: Record<SlotLayout, () => object[]> = {
    single: () => [{ name: 'root', role: 'root', fileSystem: { ...made, mount: '/' } }],
    slots: () =>
      Array.from({ length: slots }, (_, index) => ({ name: partitionSlotName(index), role: 'slot', fileSystem: made })),
    files: () => [{ name: 'host', role: 'host', fileSystem: { ...made, label: 'hostpart', mount: '/hostpart' } }],
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
          { name: 'boot', role: 'boot' },
          ...(swap > 0 ? [{ name: 'swap', role: 'swap', size: swap }] : []),
          ...systems[layout](),
        ],
      },
    ],
  });
}
