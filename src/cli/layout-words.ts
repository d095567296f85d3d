import type { LayoutSolutionValue } from '../contract/operations/layouts.ts';
import { formatBytes } from '../foundation/bytes.ts';
import { drawDisk } from './disk-drawing.ts';
import type { Terminal } from './terminal.ts';

/** A solved layout for people: each disk before and after, what lies above partitions, and what would be lost. */
export function describeSolution(solution: LayoutSolutionValue, terminal: Terminal): string {
  const disks = solution.disks.map((disk) => drawDisk(disk, solution, terminal));
  const above = stackLines(solution).map((line) => `  ${line}\n`);
  const notes = solution.notes.map((note) => `${terminal.paint('dim', '·')} ${note}\n`);
  return [
    ...disks,
    ...(above.length > 0 ? [above.join('')] : []),
    lossText(solution, terminal),
    ...(notes.length > 0 ? [notes.join('')] : []),
  ].join('\n');
}

function stackLines({ raids, crypts, volumeGroups }: LayoutSolutionValue): string[] {
  const content = ({
    role,
    fileSystem,
  }: {
    role?: string | undefined;
    fileSystem?: { type: string; mount?: string | undefined } | undefined;
  }) =>
    fileSystem === undefined
      ? role === 'swap'
        ? 'swap'
        : ''
      : `${fileSystem.type}${fileSystem.mount === undefined ? '' : ` on ${fileSystem.mount}`}`;
  const line = (...parts: string[]) => parts.filter((part) => part !== '').join('  ');
  return [
    ...raids.map((each) => {
      const members = each.members.join(' + ') + (each.missing > 0 ? ` + ${each.missing} missing` : '');
      return line(`RAID ${each.level} ${each.name}`, `about ${formatBytes(each.size)}`, `of ${members}`, content(each));
    }),
    ...crypts.map((each) =>
      line(`encrypted ${each.name}`, formatBytes(each.size), `on ${each.on}, opened by ${each.unlock}`, content(each)),
    ),
    ...volumeGroups.flatMap((group) => [
      line(`volume group ${group.name}`, `about ${formatBytes(group.size)}`, `on ${group.physicalVolumes.join(' + ')}`),
      ...group.volumes.map((volume) => {
        const kind = volume.thinPool ? 'thin pool' : volume.pool === undefined ? '' : `thin, of ${volume.pool}`;
        return line(`  ${volume.name}`, formatBytes(volume.size), kind, content(volume));
      }),
      ...(group.free > 0 ? [line('  free', formatBytes(group.free))] : []),
    ]),
  ];
}

/** Every byte that would be lost, or that none is. */
function lossText({ lost }: LayoutSolutionValue, terminal: Terminal): string {
  if (lost.length === 0) return `${terminal.paint('green', 'Nothing is lost.')}\n`;
  const bytes = lost.reduce((sum, each) => sum + each.bytes, 0);
  const used = lost.reduce((sum, each) => sum + (each.used ?? 0), 0);
  const unknown = lost.some((each) => each.used === undefined);
  const inUse = used === 0 ? '' : `, of which ${unknown ? 'at least ' : ''}${formatBytes(used)} are in use`;
  const lines = lost.map((each) => `  ${each.path}  ${each.what}  ${formatBytes(each.bytes)} (${each.bytes} bytes)\n`);
  return `${terminal.paint('red', `Lost: ${formatBytes(bytes)}${inUse}`)}\n${lines.join('')}`;
}
