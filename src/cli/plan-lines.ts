import type { LivePlan } from '../contract/live-control.ts';
import { formatBytes } from '../foundation/bytes.ts';

/** What an install would erase, a line each. */
export function lossLines(lost: LivePlan['lost']): string {
  const lines = lost.map(({ path, what, bytes, used }) => {
    const inUse = used === undefined ? '' : `, of which ${formatBytes(used)} are in use`;
    return `  ${path}  ${what}  ${formatBytes(bytes)}${inUse}\n`;
  });
  return lines.join('');
}

/** The steps of a plan, numbered. */
export function stepLines(steps: readonly string[]): string {
  const width = String(steps.length).length;
  return steps.map((step, index) => `  ${String(index + 1).padStart(width)}. ${step}\n`).join('');
}
