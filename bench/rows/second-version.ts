import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { DebianTrees } from '../debian-trees.ts';
import { formatNumber, type Line, type Report } from '../report.ts';
import { imprintPeer, peers, requirePrograms } from '../stores.ts';
import type { Workshop } from '../workshop.ts';
import { begin, least } from './first-version.ts';

/** What a security update of a whole system adds to what is kept of it already. */
export function measureSecondVersion(workshop: Workshop, trees: DebianTrees): Report {
  requirePrograms(peers);
  const lines: Line[] = [];
  for (const peer of [imprintPeer(workshop, 'imprint'), ...peers]) {
    const directory = join(workshop.work, peer.name);
    if (!existsSync(directory)) {
      begin(workshop, peer);
      workshop.measure(`${peer.name}: before the update`, peer.capture(directory, trees.before, 'v1'));
    }
    const before = peer.size(directory);
    const name = `${peer.name}: after a security update`;
    const measured = workshop.measure(name, peer.capture(directory, trees.after, 'v2'));
    lines.push({ name, measured, output: peer.size(directory) - before });
    workshop.remove(peer.name);
  }
  const added = (index: number) => (lines[index]?.output ?? Number.NaN) / 1e6;
  const smallest = least(peers.map(({ name }, index) => [name, added(index + 1)]));
  const against = `0.85 × ${smallest.name}: ${formatNumber(smallest.value)} MB`;
  return {
    goals: [
      {
        name: 'second version: bytes added by a security update',
        own: added(0),
        limit: 0.85 * smallest.value,
        unit: 'MB',
        against,
      },
    ],
    lines,
  };
}
