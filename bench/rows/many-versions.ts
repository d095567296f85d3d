import { cpSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatNumber, type Goal, type Line, type Report } from '../report.ts';
import { imprintPeer } from '../stores.ts';
import { medianOf, sizeOf, type Workshop } from '../workshop.ts';

const versions = 100;
const changesEach = 20;

/** A hundred versions of a real configuration and its programs, twenty files changed each time. */
export function measureManyVersions(workshop: Workshop, source: string): Report {
  const peer = imprintPeer(workshop, 'versions');
  const directory = workshop.empty('versions');
  const tree = workshop.empty('versions-tree');
  for (const part of ['etc', 'usr/share/doc', 'usr/share/perl'])
    cpSync(join(source, part), join(tree, part), { recursive: true, verbatimSymlinks: true });
  const files = readdirSync(tree, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  for (let version = 1; version <= versions; version += 1) {
    for (let change = 0; change < changesEach; change += 1) {
      const file = files[(version * 7919 + change * 104_729) % files.length] ?? '';
      if (statSync(file).size < 1 << 20) writeFileSync(file, `version ${version}, change ${change}\n`.repeat(200));
    }
    workshop.run(peer.capture(directory, tree, `v${version}`));
  }
  workshop.say(`${versions} versions of ${files.length} files are kept`);
  const ours = workshop.ours('versions');
  const lines: Line[] = [];
  const goals: Goal[] = [];
  for (const [name, command] of [
    ['list', 'images bench'],
    ['show', 'image show bench:50'],
    ['diff of neighbours', 'image diff bench:50 bench:51'],
    ['log', 'image log bench'],
  ] as const) {
    const title = `imprint: ${versions} versions, ${name}`;
    const measured = medianOf([1, 2, 3].map(() => workshop.measure(title, `${ours} ${command}`)));
    lines.push({ name: title, measured });
    goals.push({ name: `${versions} versions: ${name}, wall`, own: measured.wall, limit: 1, unit: 's', against: '' });
  }
  const freed: number[] = [];
  for (const [from, to] of [
    [1, 10],
    [11, 60],
  ] as const) {
    const references = Array.from({ length: to - from + 1 }, (_, index) => `bench:${from + index}`);
    workshop.run(`${ours} image rm ${references.join(' ')}`);
    const before = sizeOf(join(directory, 'store'), 'hints');
    const name = `imprint: gc after ${to - from + 1} versions were removed`;
    const measured = workshop.measure(name, `${ours} store gc --grace 0`);
    const output = before - sizeOf(join(directory, 'store'), 'hints');
    lines.push({ name, measured, output });
    freed.push(measured.cpu);
  }
  const [few = Number.NaN, many = Number.NaN] = freed;
  const against = `${formatNumber(few)} s and ${formatNumber(many)} s`;
  goals.push({ name: 'gc: CPU for 50 versions, in times that for 10', own: many / few, limit: 5.5, unit: '', against });
  workshop.remove('versions');
  workshop.remove('versions-tree');
  return { goals, lines };
}
