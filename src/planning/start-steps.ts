import type { InstalledLayout } from '../machine/installed-layout.ts';
import type { DiskStart } from './install-layout.ts';
import type { Step } from './step.ts';

/** What firmware starts. A disk without a boot partition of its own uses the first one's. */
export function startSteps(start: DiskStart, layout: InstalledLayout): Step[] {
  const { disk, esp, boot } = start;
  const bootUuid = boot?.uuid ?? layout.boot;
  const isMbr = disk.table === 'mbr' ? { table: 'mbr' as const } : {};
  return [
    ...biosBootSteps(start, bootUuid),
    ...(esp === undefined ? [] : [{ kind: 'install-uefi-boot' as const, device: esp.device, bootUuid, ...isMbr }]),
  ];
}

/** GRUB's core lies in a partition of its own, or on an MBR in front of the first one. */
function biosBootSteps({ disk, boot, biosBoot }: DiskStart, bootUuid: string): Step[] {
  const { facts, table, partitions } = disk;
  if (facts.sectorSize !== 512) return [];
  if (biosBoot !== undefined) {
    const { device, start, size } = biosBoot;
    return [{ kind: 'install-bios-boot', disk: facts.path, partition: device, start, size, bootUuid }];
  }
  if (table === 'gpt' || boot === undefined) return [];
  const first = Math.min(...partitions.map(({ start }) => start));
  const place = { disk: facts.path, partition: facts.path, start: 1, size: first - 1 };
  return [{ kind: 'install-bios-boot', ...place, bootUuid, table: 'mbr' }];
}
