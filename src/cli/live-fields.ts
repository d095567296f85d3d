import type { LiveStatus } from '../contract/live-control.ts';
import { formatBytes } from '../foundation/bytes.ts';

const levels = {
  calm: '',
  warned: ': more than three quarters',
  slowed: ': nearly full, writing is slowed',
  stopped: ': full, nothing is written any more',
} as const;

/** What its administrator wants to know of a live system, name by name. */
export function liveFields({ image, memory, needsMedium, problem, move }: LiveStatus): [string, string][] {
  const fields: [string, string][] = [['system', `${image}, live`]];
  if (memory !== undefined) {
    const { used, size, level } = memory;
    fields.push(['changes', `${formatBytes(used)} of ${formatBytes(size)} of memory${levels[level]}`]);
  } else fields.push(['changes', 'on the disk']);
  fields.push(['source', needsMedium ? (problem ?? 'needed') : 'not needed any more']);
  if (move === undefined) fields.push(['move', 'not ordered: imprint install --live']);
  else fields.push(['move', `${move.state}, onto ${move.disk}: ${next(move)}`]);
  return fields;
}

function next({ state, goesOn }: NonNullable<LiveStatus['move']>): string {
  if (state === 'finished') return 'the next restart comes from there';
  if (state === 'running') return 'imprint install --live shows how far it is';
  return goesOn ? 'imprint install --live has it go on' : 'imprint install --live --wait says why';
}
