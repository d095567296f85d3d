import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Task } from '../../src/foundation/task.ts';
import type { BootPointer } from '../../src/machine/boot-pointer.ts';
import { startByItself, startOnce } from '../../src/operations/boot/own-systems.ts';
import { type FillSystemRequest, fillSystem } from '../../src/operations/update/fill-system.ts';
import { freeSlot } from '../../src/operations/update/free-slot.ts';
import { revertMachine } from '../../src/operations/update/revert-machine.ts';
import { commitEntry } from '../../src/operations/update/settle-boot.ts';
import { showSlots } from '../../src/operations/update/show-slots.ts';
import { readSlotVersion } from '../../src/operations/update/slot-version.ts';
import { lookAtMachine, openBoot, type ThisMachine } from '../../src/operations/update/this-machine.ts';
import { updateMachine } from '../../src/operations/update/update-machine.ts';
import type { StoredVersion } from '../../src/store/store.ts';
import { systemProcesses } from '../../src/system/run.ts';
import {
  commitTree,
  makeBootableTree,
  type SignedStore,
  type SlotMachine,
  signedStore,
  slotMachine,
} from './slot-machine.ts';

const { run } = systemProcesses;
let base: string;
let golden: string;
let signed: SignedStore;
let web: StoredVersion;
/** The tree of web:1. */
let first: string;

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'imprint-beside-'));
  golden = join(base, 'golden');
  signed = await signedStore(base);
  await makeBootableTree(golden);
  web = await commitTree(signed, golden);
  first = join(base, 'first');
  await cp(golden, first, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
  const other = join(base, 'other');
  await cp(golden, other, { recursive: true, verbatimSymlinks: true });
  for (const release of [1, 2]) {
    await writeFile(join(other, 'etc/release'), `db ${release}\n`);
    await commitTree(signed, other, { image: 'db' });
  }
  await writeFile(join(golden, 'etc/release'), 'web 2\n');
  await commitTree(signed, golden);
});
afterAll(async () => {
  await signed.store.close();
  rmSync(base, { recursive: true, force: true });
});

/** What lies where: `slot entry's reference system: roles`. */
async function shown(machine: ThisMachine): Promise<string[]> {
  const { slots, empty } = await showSlots(machine);
  return [
    ...slots.map(({ slot, reference, system, roles }) => `${slot} ${reference} ${system}: ${roles.join(' ')}`),
    ...empty.map((slot) => `${slot} empty`),
  ].sort();
}

/** Each entry by its reference, as the pointer has them. */
async function pointed(machine: ThisMachine): Promise<string> {
  const { pointer, entries } = await lookAtMachine(machine);
  const name = (id: string | undefined) => entries.find((entry) => entry.id === id)?.reference ?? '-';
  return [pointer.good, pointer.previous, pointer.trial].map(name).join(' ');
}

const code = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error) => error.code,
  );

describe.skipIf(process.geteuid?.() !== 0)('systems beside each other', { timeout: 300_000 }, () => {
  it('are filled, updated, reverted and given back, and none harms another', async () => {
    await using installed = await slotMachine(signed, first, web, { spares: 3 });
    const inWeb = await installed.machine();
    const fill = (more: Partial<FillSystemRequest> = {}) =>
      fillSystem(inWeb, { image: `${signed.directory}#db:1`, ...more }, Task.silent());
    const before = await pointed(inWeb);
    // Beside what runs, in what holds nothing; what starts stays.
    expect(await fill()).toMatchObject({ slot: 'b', system: 'db', version: { reference: 'db:1' } });
    expect(await pointed(inWeb)).toBe(before);
    expect(await shown(inWeb)).toEqual(['a web:1 web: running default good', 'b db:1 db: good', 'c empty', 'd empty']);

    const update = (machine: ThisMachine, image: string, slot?: string) =>
      updateMachine(
        machine,
        { image: `${signed.directory}#${image}`, options: { reboot: 'none', ...(slot === undefined ? {} : { slot }) } },
        Task.silent(),
      );
    // From within db, as if it had been chosen in the menu.
    {
      await using besides = await runningIn(installed, 'b', 'db:1');
      const { machine: inDb, root } = besides;
      expect((await lookAtMachine(inDb)).situation.kind).toBe('beside');
      expect(await readFile(join(root, 'etc/hostname'), 'utf8')).toBe('web01\n');
      expect((await readSlotVersion(root))?.record.image).toBe('db');
      for (const slot of ['a', 'b']) expect(await code(update(inDb, 'db:2', slot))).toBe('slot-unfit');
      expect((await update(inDb, 'db:2')).result).toMatchObject({ kind: 'staged', slot: 'c' });
      expect(await pointed(inDb)).toBe('web:1 - db:2');
      {
        // It is proven; web still starts by itself.
        const trial = await lookAtMachine(inDb);
        await using boot = await openBoot(inDb);
        await commitEntry(inDb, boot, trial.pointer.trial ?? '');
      }
      expect(await pointed(inDb)).toBe('web:1 - -');
    }
    expect(await shown(inWeb)).toEqual([
      'a web:1 web: running default good',
      'b db:1 db: previous',
      'c db:2 db: good',
      'd empty',
    ]);

    // web takes what is spare; with no other place, not what is another system's, also not an old one.
    expect((await update(inWeb, 'web:2')).result).toMatchObject({ kind: 'staged', slot: 'd' });
    expect(await code(fill({ image: `${signed.directory}#db:2` }))).toBe('slot-unfit');
    {
      await using boot = await openBoot(inWeb);
      await commitEntry(inWeb, boot, (await boot.pointer())?.trial ?? '');
    }
    expect(await pointed(inWeb)).toBe('web:2 web:1 -');
    await using later = await runningIn(installed, 'd', 'web:2');
    expect(await code(update(later.machine, 'web:1', 'b'))).toBe('slot-unfit');
    expect((await update(later.machine, 'web:1')).result.slot).toBe('a');
    expect(await shown(later.machine)).toContain('c db:2 db: good');

    // What waits to be tried, what runs, and what starts by itself are not given back.
    for (const slot of ['a', 'd', 'x'])
      expect(await code(freeSlot(later.machine, slot, Task.silent()))).toBe('slot-needed');
    await revertMachine(later.machine, { options: { reboot: 'none' } }, Task.silent());
    expect(await pointed(later.machine)).toBe('web:2 - -');
    expect(await freeSlot(later.machine, 'b', Task.silent())).toMatchObject({ slot: 'b', references: ['db:1'] });
    expect(await shown(later.machine)).toContain('b empty');
    expect(
      (await fillSystem(later.machine, { image: `${signed.directory}#db:1`, slot: 'b' }, Task.silent())).system,
    ).toBe('db');
    // Older or newer, it is not good by lying there.
    expect(await shown(later.machine)).toContain('c db:2 db: good');
  });

  it('start once, by themselves, and go back within each', async () => {
    await using installed = await slotMachine(signed, first, web, { spares: 2 });
    const inWeb = await installed.machine();
    await fillSystem(inWeb, { image: `${signed.directory}#db:1` }, Task.silent());
    const once = await startOnce(inWeb, 'db', true);
    expect(once).toMatchObject({ system: 'db', reference: 'db:1' });
    expect(await pointed(inWeb)).toBe('web:1 - db:1');
    expect((await lookAtMachine(inWeb)).pointer.tries).toBe(1);
    expect(await startOnce(inWeb, 'mail', true)).toBeUndefined();
    {
      await using boot = await openBoot(inWeb);
      await commitEntry(inWeb, boot, once?.entry ?? '');
    }
    expect(await pointed(inWeb)).toBe('web:1 - -');
    {
      await using boot = await openBoot(inWeb);
      await startByItself(boot, 'db');
      await startByItself(boot, 'mail');
    }
    expect(await pointed(inWeb)).toBe('db:1 - -');
    expect(await shown(inWeb)).toEqual(['a web:1 web: running good', 'b db:1 db: default good', 'c empty']);
    // web runs still, beside what starts by itself now.
    await updateMachine(inWeb, { image: `${signed.directory}#web:2`, options: { reboot: 'none' } }, Task.silent());
    expect(await code(startOnce(inWeb, 'web', true))).toBe('trial-running');
    {
      await using boot = await openBoot(inWeb);
      await commitEntry(inWeb, boot, (await boot.pointer())?.trial ?? '');
    }
    expect(await shown(inWeb)).toEqual([
      'a web:1 web: running previous',
      'b db:1 db: default good',
      'c web:2 web: good',
    ]);
    await using later = await runningIn(installed, 'c', 'web:2');
    const back = await revertMachine(later.machine, { options: { reboot: 'none' } }, Task.silent());
    expect(back?.result).toMatchObject({ kind: 'staged', to: { reference: 'web:1' } });
    expect(await pointed(later.machine)).toBe('db:1 - web:1');
    // A version of another system than the one that runs is that system's all the same.
    const slot = later.machine;
    await revertMachine(slot, { options: { reboot: 'none' } }, Task.silent());
    const other = { image: `${signed.directory}#db:2`, options: { reboot: 'none' as const } };
    expect(await code(updateMachine(slot, other, Task.silent()))).toBe('slot-unfit');
    await freeSlot(slot, 'a', Task.silent());
    expect((await updateMachine(slot, other, Task.silent())).result).toMatchObject({ kind: 'staged', slot: 'a' });
    expect(await shown(slot)).toContain('a db:2 db: trial');
    // db has nothing before it, and web is not what it goes back to.
    await using inDb = await runningIn(installed, 'b', 'db:1');
    await revertMachine(inDb.machine, { options: { reboot: 'none' } }, Task.silent());
    expect(await pointed(inDb.machine)).toBe('db:1 - -');
    expect(await code(revertMachine(inDb.machine, { options: { reboot: 'none' } }, Task.silent()))).toBe(
      'nothing-before',
    );
  });
});

/** The machine as it is when that slot runs. */
async function runningIn(
  installed: SlotMachine,
  slot: string,
  reference: string,
): Promise<{ machine: ThisMachine; root: string } & AsyncDisposable> {
  const machine = await installed.machine();
  const { entries, pointer } = await lookAtMachine(machine);
  const entry = entries.find((each) => each.slot === slot && each.reference === reference);
  if (entry === undefined) throw new Error(`${reference} is not in ${slot}`);
  const root = mkdtempSync(join(base, 'root-'));
  mkdirSync(root, { recursive: true });
  await run('mount', [`${installed.spare.slice(0, -1)}${slot.charCodeAt(0) - 'a'.charCodeAt(0) + 1}`, root]);
  const words = { entry: entry.id, sequence: (pointer satisfies BootPointer).sequence };
  return {
    root,
    machine: { ...machine, root, words },
    [Symbol.asyncDispose]: async () => void (await run('umount', [root])),
  };
}
