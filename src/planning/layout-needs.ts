import type { SourceFacts, VersionStats } from '../contract/image.ts';
import type { Layout } from '../contract/layout.ts';
import { parseBytes } from '../foundation/bytes.ts';
import { fileSystemOf, layoutDevices } from '../machine/layout-devices.ts';
import { hostSpace, rootSpace } from './install-space.ts';
import { wholeMebibytes } from './layout-least.ts';
import type { LayoutNeeds } from './layout-solution.ts';

/** Bytes that a file system of its own has beside its share of the content. */
const spare = 64 * 1024 ** 2;

/**
 * Room that a version needs, by what the layout mounts where. How much of it lies below a mount point is known where the golden machine had a file
 * system of its own there; what is not known is counted to the root.
 */
export function layoutNeeds(
  layout: Layout,
  stats: Pick<VersionStats, 'contentBytes' | 'entries'>,
  fileSystems: SourceFacts['fileSystems'],
): LayoutNeeds {
  const captured = fileSystems.filter((each) => each.captured && each.used !== undefined);
  const used = captured.reduce((sum, each) => sum + (each.used ?? 0), 0);
  const mounts = new Map<string, number>();
  let elsewhere = 0;
  for (const mount of separateMounts(layout)) {
    const below = captured.filter(({ mountPoint }) => mountPoint === mount || mountPoint.startsWith(`${mount}/`));
    // Of a mount point inside another one each counts what is its own.
    const own = below.filter(({ mountPoint }) => nearest(mountPoint, separateMounts(layout)) === mount);
    const share = used === 0 ? 0 : own.reduce((sum, each) => sum + (each.used ?? 0), 0) / used;
    elsewhere += share;
    mounts.set(
      mount,
      share === 0 ? 0 : wholeMebibytes(stats.contentBytes * share * 1.1 + stats.entries * share * 2304 + spare),
    );
  }
  const rest = { contentBytes: stats.contentBytes * (1 - elsewhere), entries: stats.entries * (1 - elsewhere) };
  const swap = (place: string | undefined) => swapFileBytes(layout, place);
  for (const [mount, bytes] of mounts) mounts.set(mount, bytes + swap(mount));
  return { system: rootSpace(rest) + swap(undefined), host: hostSpace(stats), mounts };
}

/** Swap files that lie on the file system of that mount point; undefined: on the root's. */
function swapFileBytes(layout: Layout, place: string | undefined): number {
  const points = separateMounts(layout);
  return layout.swap
    .filter(({ file }) => file !== undefined && nearest(file, points) === place)
    .reduce((sum, { size }) => sum + (parseBytes(size) ?? 0), 0);
}

/** What no version asks for: a layout looked at by itself. */
export const noNeeds: LayoutNeeds = { system: 0, host: 0, mounts: new Map() };

/** Mount points of a layout below the root that get what the version holds there. */
function separateMounts(layout: Layout): string[] {
  return layoutDevices(layout).flatMap((device) => {
    if (
      device.role !== undefined &&
      ['esp', 'boot', 'host', 'root', 'swap', 'bios-boot', 'foreign'].includes(device.role)
    )
      return [];
    const made = fileSystemOf(device);
    const points = [made?.mount, ...(made?.subvolumes ?? []).map(({ mount }) => mount)];
    return points
      .filter((mount) => mount !== undefined && mount !== '/')
      .filter((mount): mount is string => mount !== undefined);
  });
}

function nearest(path: string, mounts: readonly string[]): string | undefined {
  const above = mounts.filter((mount) => path === mount || path.startsWith(`${mount}/`));
  return above.sort((left, right) => right.length - left.length)[0];
}
