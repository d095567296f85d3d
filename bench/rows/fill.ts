import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { FillFigures } from '../fill-slots.ts';
import { formatNumber, type Goal, type Report } from '../report.ts';
import type { Workshop } from '../workshop.ts';

const program = fileURLToPath(new URL('../fill-slots.ts', import.meta.url));
const kinds = ['xfs', 'btrfs', 'partition'];

/**
 * Slots filled with a tree, then with one of which 1 % and 10 % of files and bytes are others: time, and bytes that reached the device. `part` names kinds of slots
 * (`--rows fill:xfs+btrfs`); the others' figures are those of their last time, kept beside the trees. Needs root.
 */
export async function measureFills(workshop: Workshop, tree: string, part?: string): Promise<Report> {
  const wanted = part?.split('+') ?? kinds;
  const unknown = wanted.find((kind) => !kinds.includes(kind));
  if (unknown !== undefined) throw new Error(`fill has no part ${unknown}; there are ${kinds.join(', ')}`);
  const file = join(workshop.cache, 'fills.json');
  const kept = (): Record<string, FillFigures> => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {});
  const words = [program, tree, workshop.empty('fill'), ...wanted];
  // With mounts of its own, which end with it, whatever becomes of it.
  const isolated = ['--mount', '--propagation', 'private', process.execPath, '--disable-warning=ExperimentalWarning'];
  const child = spawn('unshare', [...isolated, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit') as Promise<[number | null]>;
  for await (const line of createInterface(child.stdout)) {
    const figures = JSON.parse(line) as FillFigures;
    workshop.say(
      `${figures.name}: ${figures.cpu.toFixed(2)} s CPU, ${figures.wall.toFixed(1)} s, ${(figures.written / 1e6).toFixed(1)} MB written for ${(figures.content / 1e6).toFixed(1)} MB`,
    );
    writeFileSync(file, JSON.stringify({ ...kept(), [figures.name]: figures }));
  }
  const [status] = await ended;
  if (status !== 0) throw new Error(`fill-slots.ts failed (${status})`);
  workshop.remove('fill');
  const fills = Object.values(kept());
  return {
    goals: fills.filter(({ name }) => name.includes('%')).map(goalOf),
    lines: fills.map(({ name, cpu, wall, memory, written }) => ({
      name,
      measured: { cpu, wall, memory },
      output: written,
      runs: 1,
    })),
  };
}

/** Shown, not held against anything: what differs is the least that can be written. */
function goalOf({ name, written, content }: FillFigures): Goal {
  const against = `${formatNumber(content / 1e6)} MB of content differ`;
  return { name: `${name}, bytes that reached the device`, own: written / 1e6, unit: 'MB', against };
}
