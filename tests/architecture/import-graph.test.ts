import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importsOf, root, sourceFiles } from './source-files.ts';

/** Rooms from the top down (ARCHITECTURE.md): a room imports from itself and from rooms above it. */
const rooms = [
  'foundation',
  'contract',
  'native',
  'image',
  'machine',
  'planning',
  'store',
  'tree',
  'system',
  'database',
  'netboot',
  'operations',
];
/** The entries: below all rooms, and none imports another. */
const entries = ['server', 'agent', 'cli'];
/** Rooms that never touch the operating system, with Node's modules that they may have all the same. */
const pureRooms: Record<string, readonly string[]> = {
  foundation: [],
  contract: [],
  image: ['node:crypto', 'node:zlib', 'node:buffer'],
  machine: ['node:buffer', 'node:path', 'node:crypto'],
  planning: [],
};
/** Who may start processes. */
const processRooms = ['system'];

const files = sourceFiles('src');
const arrows = files.flatMap((from) =>
  importsOf(from).flatMap((entry) =>
    entry.target === undefined ? [] : [{ from, to: entry.target, line: entry.line }],
  ),
);
const roomOf = (path: string) => path.split('/')[1] ?? '';
const place = ({ from, line }: { from: string; line: number }) => `${from}:${line}`;

describe('the import graph', () => {
  it('has every source in a room, and only the composition root outside', () => {
    const outside = files.filter((path) => ![...rooms, ...entries].includes(roomOf(path)));
    expect(outside).toEqual(['src/imprint.ts']);
  });

  it('names files that are there', () => {
    expect(
      arrows.filter(({ to }) => !existsSync(join(root, to))).map((arrow) => `${place(arrow)} → ${arrow.to}`),
    ).toEqual([]);
  });

  it('has no arrow downward, and none between the entries', () => {
    const wrong = arrows.filter(({ from, to }) => {
      if (from === 'src/imprint.ts' || to === 'package.json' || roomOf(from) === roomOf(to)) return false;
      if (entries.includes(roomOf(to)) || !rooms.includes(roomOf(to))) return true;
      return !entries.includes(roomOf(from)) && rooms.indexOf(roomOf(to)) > rooms.indexOf(roomOf(from));
    });
    expect(wrong.map((arrow) => `${place(arrow)} → ${arrow.to}`)).toEqual([]);
  });

  it('has no cycle', () => {
    expect(findCycle()).toBeUndefined();
  });

  it('keeps the pure rooms away from the operating system', () => {
    const wrong = Object.entries(pureRooms).flatMap(([room, allowed]) =>
      sourceFiles(`src/${room}`).flatMap((from) =>
        importsOf(from)
          .filter(
            ({ specifier, typeOnly }) => specifier.startsWith('node:') && !typeOnly && !allowed.includes(specifier),
          )
          .map(({ specifier, line }) => `${place({ from, line })} → ${specifier}`),
      ),
    );
    expect(wrong).toEqual([]);
  });

  it('starts processes in one room only', () => {
    const wrong = files
      .filter((path) => !processRooms.includes(roomOf(path)))
      .flatMap((from) => importsOf(from).map((entry) => ({ from, ...entry })))
      .filter(({ specifier }) => ['node:child_process', 'execa'].includes(specifier));
    expect(wrong.map((entry) => `${place(entry)} → ${entry.specifier}`)).toEqual([]);
  });

  it('uses only packages that are declared', async () => {
    const declared = (await import('../../package.json', { with: { type: 'json' } })).default.dependencies;
    const used = files.flatMap((from) => importsOf(from).map((entry) => ({ from, ...entry })));
    const wrong = used.filter(({ specifier }) => {
      if (specifier.startsWith('.') || specifier.startsWith('node:')) return false;
      const name = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/');
      return !Object.hasOwn(declared, name);
    });
    expect(wrong.map((entry) => `${place(entry)} → ${entry.specifier}`)).toEqual([]);
  });
});

/** A cycle of imports that stay when types are stripped, as the files in their order. */
function findCycle(): string[] | undefined {
  const graph = new Map(
    files.map((from) => [
      from,
      importsOf(from).flatMap((entry) => (entry.target === undefined || entry.typeOnly ? [] : [entry.target])),
    ]),
  );
  const finished = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (finished.has(path)) return undefined;
    for (const next of graph.get(path) ?? []) {
      const cycle = visit(next, [...trail, path]);
      if (cycle) return cycle;
    }
    finished.add(path);
    return undefined;
  };
  for (const path of files) {
    const cycle = visit(path, []);
    if (cycle) return cycle;
  }
  return undefined;
}
