import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FillFigures } from '../fill-slots.ts';
import { formatNumber, type Goal, type Report } from '../report.ts';
import type { Workshop } from '../workshop.ts';

const program = fileURLToPath(new URL('../fill-slots.ts', import.meta.url));
const kinds = ['xfs', 'btrfs', 'partition'];

/** Slots filled with a tree, then with one of which 1 % and 10 % of files and bytes are others: time, and bytes that reached the device. Needs root. */
export function measureFills(workshop: Workshop, tree: string): Report {
  const work = workshop.empty('fill');
  const { stdout, status } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', program, tree, work, ...kinds],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  if (status !== 0) throw new Error(`fill-slots.ts failed (${status})`);
  workshop.remove('fill');
  const fills = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as FillFigures);
  return {
    goals: fills.filter(({ name }) => name.includes('%')).map(goalOf),
    lines: fills.map(({ name, cpu, wall, memory, written }) => ({
      name,
      measured: { cpu, wall, memory },
      output: written,
    })),
  };
}

/** Shown, not held against anything: what differs is the least that can be written. */
function goalOf({ name, written, content }: FillFigures): Goal {
  const against = `${formatNumber(content / 1e6)} MB of content differ`;
  return { name: `${name}, bytes that reached the device`, own: written / 1e6, unit: 'MB', against };
}
