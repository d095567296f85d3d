import { join } from 'node:path';
import { mountEmptyExt4 } from '../empty-ext4.ts';
import type { Goal, Line, Report } from '../report.ts';
import { formatNumber } from '../report.ts';
import { imprintPeer, type Peer, peers, requirePrograms } from '../stores.ts';
import { type Measured, medianOf, quoted, sizeOf, type Workshop } from '../workshop.ts';

/**
 * One tree captured, captured again with nothing changed, and restored, each program after the other and then all once more: so all see the
 * machine in the same moods. The repositories stay, for the row of the second version.
 */
export function measureFirstVersion(workshop: Workshop, tree: string): Report {
  requirePrograms([
    ...peers,
    { program: 'mksquashfs', package: 'squashfs-tools' },
    { program: 'rsync', package: 'rsync' },
  ]);
  const results = new Map<string, Measured[]>();
  const sizes = new Map<string, number>();
  const measure = (name: string, command: string) =>
    void results.set(name, [...(results.get(name) ?? []), workshop.measure(name, command)]);
  const keepers = [imprintPeer(workshop, 'imprint'), ...peers];
  const tar = `tar --xattrs --acls --numeric-owner --sparse -C ${quoted(tree)} -cf - .`;
  const copy = join(workshop.empty('rsync'), 'copy');
  // All that is read comes from the page cache, for all of them alike.
  workshop.run(`rsync -aHAX --numeric-ids ${quoted(`${tree}/`)} ${quoted(copy)}`);
  workshop.run(`${tar} | cat > /dev/null`);
  for (let run = 1; run <= workshop.runs; run += 1) {
    workshop.say(`first version: round ${run} of ${workshop.runs}`);
    const archive = join(workshop.empty('tar'), 'tree.tar.zst');
    const squashed = join(workshop.empty('squashfs'), 'tree.squashfs');
    measure('tar | zstd -3 -T2', `${tar} | zstd -q -3 -T2 -o ${quoted(archive)}`);
    for (const peer of keepers) {
      const directory = begin(workshop, peer);
      measure(`${peer.name}: first capture`, peer.capture(directory, tree, 'v1'));
      sizes.set(peer.name, peer.size(directory));
    }
    measure(
      'mksquashfs (zstd 3)',
      `mksquashfs ${quoted(tree)} ${quoted(squashed)} -comp zstd -Xcompression-level 3 -noappend -quiet -no-progress`,
    );
    for (const peer of keepers)
      measure(`${peer.name}: again, nothing changed`, peer.capture(join(workshop.work, peer.name), tree, 'v1again'));
    measure('rsync -aHAX, nothing to do', `rsync -aHAX --numeric-ids ${quoted(`${tree}/`)} ${quoted(`${copy}/`)}`);
    sizes.set('tar', sizeOf(archive));
    sizes.set('squashfs', sizeOf(squashed));
    const restores: [string, (target: string) => string][] = [
      ['imprint: verified restore', (to) => `${workshop.ours('imprint')} image checkout bench ${quoted(to)}`],
      [
        'zstd -d | tar x',
        (to) =>
          `mkdir ${quoted(to)} && zstd -dcq ${quoted(archive)} | tar --xattrs --acls --numeric-owner -C ${quoted(to)} -xpf -`,
      ],
      ['unsquashfs', (to) => `unsquashfs -quiet -no-progress -d ${quoted(to)} ${quoted(squashed)}`],
    ];
    for (const [name, command] of restores) {
      using target = mountEmptyExt4(workshop);
      measure(name, command(join(target.directory, 'tree')));
    }
    workshop.remove('tar');
    workshop.remove('squashfs');
  }
  workshop.remove('rsync');
  return report(results, sizes);
}

/** An empty repository of a peer. */
export function begin(workshop: Workshop, peer: Peer): string {
  const directory = workshop.empty(peer.name);
  const command = peer.begin?.(directory);
  if (command !== undefined) workshop.run(command);
  return directory;
}

/** The smallest of several figures with its name: `640 MB (borg)`. */
export function least(values: readonly (readonly [string, number])[]): { name: string; value: number } {
  const [name, value] = values.reduce((left, right) => (right[1] < left[1] ? right : left));
  return { name, value };
}

function report(results: ReadonlyMap<string, readonly Measured[]>, sizes: ReadonlyMap<string, number>): Report {
  const medians = new Map(Array.from(results, ([name, runs]) => [name, medianOf(runs)]));
  const cpu = (name: string) => medians.get(name)?.cpu ?? Number.NaN;
  const size = (name: string) => (sizes.get(name) ?? Number.NaN) / 1e6;
  const goal = (
    name: string,
    own: number,
    factor: number,
    against: string,
    value: number,
    unit: Goal['unit'],
  ): Goal => ({
    name,
    own,
    limit: factor * value,
    unit,
    against: `${factor} × ${against}: ${formatNumber(value)} ${unit}`,
  });
  const capture = cpu('imprint: first capture');
  const again = cpu('imprint: again, nothing changed');
  const restore = cpu('imprint: verified restore');
  const quickest = least(peers.map(({ name }) => [name, cpu(`${name}: first capture`)]));
  const smallest = least(peers.map(({ name }) => [name, size(name)]));
  const goals = [
    goal('first capture', capture, 1.1, 'tar | zstd -3 -T2', cpu('tar | zstd -3 -T2'), 's CPU'),
    goal('first capture', capture, 0.5, quickest.name, quickest.value, 's CPU'),
    goal('store size, one version', size('imprint'), 0.93, 'tar | zstd -3', size('tar'), 'MB'),
    goal('store size, one version', size('imprint'), 1, smallest.name, smallest.value, 'MB'),
    goal('capture again, nothing changed', again, 0.35, 'rsync -aHAX', cpu('rsync -aHAX, nothing to do'), 's CPU'),
    goal(
      'capture again, nothing changed',
      again,
      1,
      'casync with its cache',
      cpu('casync: again, nothing changed'),
      's CPU',
    ),
    goal('verified restore to an empty ext4', restore, 0.8, 'zstd -d | tar x', cpu('zstd -d | tar x'), 's CPU'),
    {
      ...goal('verified restore, the one to beat', restore, 1, 'unsquashfs', cpu('unsquashfs'), 's CPU'),
      limit: undefined,
    },
  ].map(({ limit, ...rest }): Goal => (limit === undefined ? rest : { ...rest, limit }));
  const outputs: Record<string, string> = { 'tar | zstd -3 -T2': 'tar', 'mksquashfs (zstd 3)': 'squashfs' };
  const lines = Array.from(medians, ([name, measured]): Line => {
    const key = outputs[name] ?? (name.endsWith(': first capture') ? name.slice(0, name.indexOf(':')) : undefined);
    const output = key === undefined ? undefined : sizes.get(key);
    return output === undefined ? { name, measured } : { name, measured, output };
  });
  return { goals, lines };
}
