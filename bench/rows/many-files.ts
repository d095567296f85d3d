import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatNumber, type Goal, type Line, type Report } from '../report.ts';
import { imprintPeer } from '../stores.ts';
import { quoted, type Workshop } from '../workshop.ts';

const counts = [100_000, 1_000_000];
const memoryLimit = 512;
/** Ten times as many files may take ten times as long, and a tenth more for noise. */
const linear = 11;

/** Very many small files: memory, and that time grows with their number and not faster. Once each: it is long enough. */
export function measureManyFiles(workshop: Workshop): Report {
  const lines: Line[] = [];
  for (const count of counts) {
    const tree = prepare(workshop, count);
    const peer = imprintPeer(workshop, 'many');
    const directory = workshop.empty('many');
    const target = join(workshop.empty('many-target'), 'tree');
    const label = count.toLocaleString('en');
    const capture = peer.capture(directory, tree, 'v1');
    const commands: [string, string][] = [
      ['capture', capture],
      ['capture again', capture],
      ['restore', `${workshop.ours('many')} image checkout bench ${quoted(target)}`],
    ];
    for (const [name, command] of commands) {
      const title = `imprint: ${label} small files, ${name}`;
      lines.push({ name: title, measured: workshop.measure(title, command) });
    }
    workshop.remove('many');
    workshop.remove('many-target');
  }
  const goals = ['capture', 'capture again', 'restore'].flatMap((name, index): Goal[] => {
    const few = lines[index]?.measured;
    const many = lines[index + 3]?.measured;
    const times = (many?.cpu ?? Number.NaN) / (few?.cpu ?? Number.NaN);
    return [
      {
        name: `1,000,000 small files, ${name}: peak memory`,
        own: many?.memory ?? Number.NaN,
        limit: memoryLimit,
        unit: 'MiB',
        against: '',
      },
      {
        name: `1,000,000 small files, ${name}: CPU, in times that of 100,000`,
        own: times,
        limit: linear,
        unit: '',
        against: `${formatNumber(few?.cpu ?? 0)} s and ${formatNumber(many?.cpu ?? 0)} s`,
      },
    ];
  });
  return { goals, lines };
}

/** Files of 100 to 1,000 bytes, a thousand to a directory; kept in the cache. */
function prepare(workshop: Workshop, count: number): string {
  const tree = join(workshop.cache, `files-${count}`);
  if (existsSync(tree)) return tree;
  workshop.say(`making ${count} small files in ${tree}, once`);
  const making = `${tree}.making`;
  rmSync(making, { recursive: true, force: true });
  for (let number = 0; number < count; number += 1) {
    const directory = join(making, `directory-${Math.floor(number / 1000)}`);
    if (number % 1000 === 0) mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `file-${number}`), `small file ${number} `.repeat(5 + (number % 40)));
  }
  renameSync(making, tree);
  return tree;
}
