import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Task } from '../../src/foundation/task.ts';
import { checkStore } from '../../src/store/check-store.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { temporaryDirectory } from '../contract/store-fixture.ts';
import { type Failure, SimulatedDisk } from './simulated-disk.ts';
import type { TraceEvent } from './trace-files.ts';

const failures: [name: string, failure: Failure][] = [
  ['nothing more gets to the disk', { changes: () => 0, data: false }],
  ['names get to the disk, their data do not', { changes: (count) => count, data: false }],
  [
    'some names get to the disk, of each directory as many as will',
    { changes: (count) => randomInt(count + 1), data: false },
  ],
  ['all gets to the disk', { changes: (count) => count, data: true }],
];

/** Lets the worker change a store, and gives every change that it made to files. */
function trace(place: string, file: string): TraceEvent[] {
  const here = (name: string) => new URL(name, import.meta.url).pathname;
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--import', here('./trace-files.ts'), here('./power-worker.ts'), place],
    { env: { ...process.env, IMPRINT_TRACED: place, IMPRINT_TRACE: file }, encoding: 'utf8', timeout: 120_000 },
  );
  expect(status, stderr).toBe(0);
  return readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as TraceEvent);
}

test('the power may fail between any two calls: the store is whole, and has what was said to be done', async () => {
  await using directory = await temporaryDirectory();
  const place = join(directory.path, 'store');
  const events = trace(place, join(directory.path, 'trace'));
  expect(events.length).toBeGreaterThan(300);
  const problems: string[] = [];
  let states = 0;
  const after = join(directory.path, 'after');
  for (const [name, failure] of failures) {
    const disk = new SimulatedDisk(place);
    const there = new Set<number>();
    const going = new Set<number>();
    for (const [step, event] of events.entries()) {
      disk.apply(event);
      if (event.kind === 'done') {
        const number = Number(event.what.replace(/^[-+]+/, ''));
        if (event.what.startsWith('+')) there.add(number);
        else if (event.what.startsWith('--')) going.add(number);
        else there.delete(number);
      }
      // Nothing is new then.
      if (event.kind === 'sync' && failure.data) continue;
      await disk.write(after, failure);
      const said = `${name}, after step ${step} (${JSON.stringify(event).slice(0, 160)})`;
      problems.push(...(await look(after, there, going)).map((problem) => `${said}: ${problem}`));
      states += 1;
      await rm(after, { recursive: true });
      if (problems.length > 5) break;
    }
  }
  console.log(`${states} power failures`);
  expect(problems).toEqual([]);

  // The test can tell: had nothing been synced, something would be wrong in the end.
  const careless = new SimulatedDisk(place);
  for (const event of events) if (event.kind !== 'sync') careless.apply(event);
  await careless.write(after, { changes: (count) => count, data: false });
  expect(await look(after, new Set(), new Set())).not.toEqual([]);
});

/** What is wrong with a store after a power failure. */
async function look(target: string, there: ReadonlySet<number>, gone: ReadonlySet<number>): Promise<string[]> {
  let store: DirectoryStore;
  try {
    store = await DirectoryStore.open(target, { create: true });
  } catch (error) {
    return [String(error)];
  }
  const defects = await Array.fromAsync(checkStore(store, Task.silent()));
  const problems = defects.filter(({ kind }) => kind !== 'index').map(({ path, problem }) => `${path}: ${problem}`);
  const numbers = new Set((await store.numbers('web')).versions);
  for (const number of there) if (!numbers.has(number)) problems.push(`web:${number} was made, and is not there`);
  for (const number of gone) if (numbers.has(number)) problems.push(`web:${number} was removed, and is there`);
  await store.close();
  return problems;
}
