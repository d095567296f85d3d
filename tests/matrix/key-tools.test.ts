import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { keyAddInputSchema, keyCreateInputSchema, keyTestInputSchema } from '../../src/contract/operations/keys.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { type Context, createContext } from '../../src/operations/context.ts';
import { addIsos } from '../../src/operations/keys/add-isos.ts';
import { createKey } from '../../src/operations/keys/create-key.ts';
import { testKey } from '../../src/operations/keys/test-key.ts';
import { tryIso } from '../../src/operations/keys/try-iso.ts';
import { silentLog } from '../../src/operations/log.ts';
import { kvmWorks } from '../../src/system/kvm.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { TrialMachine } from '../../src/system/trial-machine.ts';
import { cacheDirectory } from '../lab/cache.ts';
import { debianLiveIso } from '../lab/iso-files.ts';
import { record } from './table.ts';

const minute = 60_000;
let work: string;
let context: Context;
let key: string;

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'imprint-key-tools-'));
  await mkdir(join(work, 'logs'));
  const data = join(work, 'data');
  context = createContext({ data, log: silentLog });
  await systemProcesses.run(join(import.meta.dirname, '../../imprint'), ['media', 'netboot'], {
    env: { IMPRINT_DATA: data, IMPRINT_CACHE: cacheDirectory() },
    timeout: 15 * minute,
  });
  key = join(work, 'key.img');
  const input = keyCreateInputSchema.parse({ target: key, size: 2 * 2 ** 30, persistence: 2 ** 28 });
  await createKey(context, input, Task.silent());
}, 15 * minute);
afterAll(async () => {
  await context?.[Symbol.asyncDispose]();
  if (work !== undefined) await rm(work, { recursive: true, force: true });
});

it.each(['bios', 'uefi'] as const)(
  'the imager on a key without ISO files finds all that it needs (%s)',
  async (firmware) => {
    const began = performance.now();
    const seconds = () => (performance.now() - began) / 1000;
    const input = keyTestInputSchema.parse({ key, firmware, limit: 500, directory: join(work, 'logs') });
    const { results } = await testKey(context, input, Task.silent());
    const [result] = results;
    record({
      row: 'key-tools',
      name: `imager, ${firmware}`,
      seconds,
      outcome: `${result?.verdict}: ${result?.said ?? ''}`,
    });
    const said = result === undefined ? '' : await readFile(result.log, 'latin1');
    expect(results, said.slice(-3000)).toMatchObject([
      { iso: 'imager', firmware, verdict: 'runs', said: expect.stringContaining('IMAGER-SELFTEST ok') },
    ]);
  },
  15 * minute,
);

/** Starts the live system with what it kept, and has somebody at its keyboard do something there. */
async function live(name: string, iso: string, act: (machine: TrialMachine) => Promise<void>): Promise<void> {
  const options = {
    medium: key,
    directory: join(work, 'logs'),
    name,
    kvm: await kvmWorks(systemProcesses),
    keeps: true,
  };
  const { signal } = new AbortController();
  await using machine = await TrialMachine.start(systemProcesses, { ...options, memory: 2048 }, systemClock, signal);
  const trial = { iso: { name: iso, family: 'debian-live' }, firmware: 'bios', limit: 900, entry: 2 } as const;
  const outcome = await tryIso(machine, trial, systemClock, { signal, tell: () => {} });
  expect(outcome, (await machine.said()).slice(-3000)).toMatchObject({ verdict: 'runs' });
  await does(machine, 'root\n', async () => /root@live:/.test(await machine.screenText()));
  await act(machine);
}

/** Types on its first console, again where keys were lost, until that is so. */
async function does(machine: TrialMachine, typed: string, isSo: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    // Its console may ask who it is a while after all is up.
    await systemClock.sleep(5000);
    await machine.type(typed);
    for (let looks = 0; looks < 20; looks += 1) {
      await systemClock.sleep(2000);
      if (await isSo()) return;
    }
  }
  const said = (await machine.said()).slice(-2000);
  throw new Error(`it did nothing about “${typed}”: ${said}\n${await machine.screenText()}`);
}

const says = (machine: TrialMachine, typed: string, words: RegExp) =>
  does(machine, typed, async () => words.test(await machine.said()));

it(
  'a live system keeps a file over a restart on the partition for it',
  async () => {
    const began = performance.now();
    const seconds = () => (performance.now() - began) / 1000;
    const file = await debianLiveIso();
    await addIsos(context, keyAddInputSchema.parse({ key, isos: [file] }), Task.silent());
    const iso = basename(file);
    await live('first', iso, async (machine) => {
      await says(machine, 'ls /root > /dev/ttyS0\necho nothing yet > /dev/ttyS0\n', /nothing yet/);
      expect(await machine.said()).not.toContain('kept-by-key');
      await says(machine, 'touch /root/kept-by-key\nsync\nls /root > /dev/ttyS0\n', /kept-by-key/);
      await does(machine, 'poweroff\n', async () => !machine.isRunning);
    });
    await live('second', iso, async (machine) => {
      await says(machine, 'ls /root > /dev/ttyS0\n', /kept-by-key/);
    });
    record({ row: 'key-tools', name: 'persistence, bios', seconds, outcome: 'a file was there after a restart' });
  },
  45 * minute,
);
