import type { RawPath } from '../foundation/brand.ts';
import { agentPaths } from './installed-layout.ts';

/**
 * Where an update in place puts the version's file where the machine's stays because of a conflict, relative to the root: below it, the same path. Nothing
 * but people looks there, whereas beside the machine's file many a program would read it (decision 019). Mode 0700.
 */
export const unmergedPath = `${agentPaths.state}/unmerged` as RawPath;

/** `var/lib/imprint/unmerged/etc/cron.d/web` for `etc/cron.d/web`. */
export function unmergedPathOf(path: RawPath): RawPath {
  return `${unmergedPath}/${path}` as RawPath;
}
