import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Task } from '../../src/foundation/task.ts';
import type { InPlaceDirection } from '../../src/machine/in-place-journal.ts';
import { isDirectory, isFile } from '../../src/native/status.ts';
import { bringRoot } from '../../src/operations/update/in-place/bring-root.ts';
import { look, updatePaths } from '../../src/operations/update/in-place/root-paths.ts';
import { stageInPlace } from '../../src/operations/update/in-place/stage-in-place.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { restoreTree } from '../../src/tree/restore-tree.ts';
import { runInPlaceScript } from './in-place-script.ts';
import { fetchedVersion, planFor } from './in-place-version.ts';
import { snapshotDifference, treeSnapshot } from './tree-snapshot.ts';
import { captureTree } from './version-content.ts';

/** One thing to be made in a tree; what cannot be made where it is said is passed over. */
interface Make {
  path: string;
  kind: 'file' | 'directory' | 'symlink' | 'link' | 'nothing';
  text: string;
  mode: number;
}

const names = fc.array(fc.constantFrom('a', 'b', 'c d'), { minLength: 1, maxLength: 3 });
const makes = fc.array(
  fc.record<Make>({
    path: names.map((parts) => join('usr', ...parts)),
    kind: fc.constantFrom('file', 'file', 'directory', 'symlink', 'link', 'nothing'),
    text: fc.constantFrom('a', 'b', 'c d', 'a/b', '../a'),
    mode: fc.constantFrom(0o755, 0o700, 0o2775, 0o1777),
  }),
  { maxLength: 14 },
);
const cuts = fc.array(
  fc.record({ script: fc.boolean(), direction: fc.constantFrom<InPlaceDirection>('redo', 'undo'), at: fc.nat(80) }),
  { minLength: 1, maxLength: 4 },
);
const ours = ['.imprint', 'var/lib/imprint'];

let base: string;
let store: DirectoryStore;
let count = 0;

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'imprint-random-'));
  store = await DirectoryStore.open(join(base, 'store'), { create: true });
});
afterAll(async () => {
  await store.close();
  rmSync(base, { recursive: true, force: true });
});

it.skipIf(process.geteuid?.() !== 0)(
  'any tree becomes any other in place, and itself again, however often it is cut',
  async () => {
    const property = fc.asyncProperty(makes, makes, makes, cuts, async (first, second, local, plan) => {
      count += 1;
      const place = join(base, `${count}`);
      mkdirSync(place);
      try {
        await check(place, first, second, local, plan);
      } finally {
        rmSync(place, { recursive: true, force: true });
      }
    });
    await fc.assert(property, { numRuns: Number(process.env.IMPRINT_RUNS ?? 15), interruptAfterTimeLimit: 90_000 });
  },
);

async function check(place: string, first: Make[], second: Make[], local: Make[], plan: Cut[]): Promise<void> {
  const source = join(place, 'source');
  for (const path of ['usr', 'var/lib/imprint']) mkdirSync(join(source, path), { recursive: true });
  make(source, first);
  const one = await fetchedVersion(store, await captureTree(store, source), 1);
  make(source, second);
  const two = await fetchedVersion(store, await captureTree(store, source), 2);
  const root = join(place, 'root');
  await restoreTree({ store, version: one.digest, target: root, task: Task.silent() });
  make(root, local);
  const planned = await planFor(root, one, two, { drift: local.length % 2 === 0 ? 'overwrite' : 'keep' });
  // What the machine has stands in a directory that becomes something else.
  if (planned.problems.length > 0) return;
  await stageInPlace(planned, two, Task.silent());
  const before = treeSnapshot(root, ours);
  const straight = copied(root, join(place, 'straight'));
  bringRoot({ paths: updatePaths(straight, planned.id), direction: 'redo' });
  const after = treeSnapshot(straight, ours);
  if (local.length === 0) {
    const wanted = join(place, 'wanted');
    await restoreTree({ store, version: two.digest, target: wanted, task: Task.silent() });
    expect(snapshotDifference(treeSnapshot(wanted, ours), after)).toEqual([]);
  }
  for (const cut of plan) cutAt(root, planned.id, cut, join(place, 'commands'));
  const last = plan.at(-1);
  const direction = last?.direction ?? 'redo';
  if (last?.script === true) cutAt(root, planned.id, { ...last, at: 100_000 }, join(place, 'commands'));
  else bringRoot({ paths: updatePaths(root, planned.id), direction });
  expect(snapshotDifference(direction === 'redo' ? after : before, treeSnapshot(root, ours))).toEqual([]);
}

interface Cut {
  script: boolean;
  direction: InPlaceDirection;
  at: number;
}

function cutAt(root: string, id: string, { script, direction, at }: Cut, counter: string): void {
  if (script) {
    // Its commands are few.
    const commands = at > 80 ? at : at % 10;
    const { status, said } = runInPlaceScript(root, id, direction, { commands, counter });
    expect({ status: Math.min(status, 0), said: status > 0 ? said : '' }).toEqual({ status, said: '' });
    return;
  }
  let left = at;
  const beforeStep = () => {
    left -= 1;
    if (left < 0) throw new RangeError('cut');
  };
  try {
    bringRoot({ paths: updatePaths(root, id), direction, beforeStep });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
}

function make(root: string, list: readonly Make[]): void {
  for (const { path, kind, text, mode } of list) {
    const place = join(root, path);
    if (!isDirectory(look(join(place, '..'))?.mode ?? 0)) continue;
    const other = join(root, 'usr', text);
    const linked = kind !== 'link' || isFile(look(other)?.mode ?? 0);
    if (!linked || other === place || other.startsWith(`${place}/`)) continue;
    const keeps = kind === 'directory' && isDirectory(look(place)?.mode ?? 0);
    if (!keeps) rmSync(place, { recursive: true, force: true });
    if (kind === 'file') writeFileSync(place, text, { mode: 0o640 });
    if (kind === 'directory') mkdirSync(place, { recursive: true });
    if (kind === 'directory') chmodSync(place, mode);
    if (kind === 'symlink') symlinkSync(text, place);
    if (kind === 'link') linkSync(other, place);
  }
}

function copied(root: string, target: string): string {
  execFileSync('cp', ['-a', root, target]);
  return target;
}
