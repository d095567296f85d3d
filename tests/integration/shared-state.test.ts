import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { parseAgentSettings } from '../../src/machine/agent-settings.ts';
import { latestObject, layObject } from '../../src/operations/update/object-state.ts';
import { keepMachineObject, stateDirectoryOf } from '../../src/operations/update/save-object.ts';

let base: string;
let shared: string;
const layout = { boot: '99999999-ABCD-4333-8444-555555555555' };
const ids = { web01: '1'.repeat(32), web02: '2'.repeat(32) } as const;
type Name = keyof typeof ids;

beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), 'imprint-shared-'));
  shared = join(base, 'cluster/objects');
  await mkdir(shared, { recursive: true });
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

/** A machine whose settings name the same directory as those of all others. */
async function machineOf(name: Name, id: string = ids[name]) {
  const root = join(base, name);
  await mkdir(join(root, 'etc/ssh'), { recursive: true });
  await writeFile(join(root, 'etc/hostname'), `${name}\n`);
  await writeFile(join(root, 'etc/machine-id'), `${id}\n`);
  await writeFile(join(root, 'etc/ssh/ssh_host_ed25519_key'), `secret of ${name}`, { mode: 0o600 });
  return { root, clock: systemClock, settings: parseAgentSettings(`stateDirectory: ${shared}`) };
}

describe.skipIf(process.geteuid?.() !== 0)('a state directory that machines share', () => {
  it('never mixes their objects, whoever writes when', async () => {
    const machines = { web01: await machineOf('web01'), web02: await machineOf('web02') };
    const names = Object.keys(machines) as Name[];
    for (let round = 1; round <= 3; round += 1) {
      const kept = names.map(async (name) => {
        await writeFile(join(machines[name].root, 'etc/hosts'), `${name} in round ${round}\n`);
        return keepMachineObject(machines[name], layout, undefined);
      });
      expect((await Promise.all(kept)).map(({ number }) => number)).toEqual([round, round]);
    }
    expect((await readdir(shared)).sort()).toEqual([ids.web01, ids.web02]);
    for (const name of names) {
      const own = join(shared, ids[name]);
      expect((await readdir(own)).sort()).toEqual(['1', '2', '3', 'latest']);
      expect(await readlink(join(own, 'latest'))).toBe('3');
      for (const number of ['1', '2', '3']) {
        const at = (path: string) => readFile(join(own, number, 'tree/etc', path), 'utf8');
        expect([await at('hostname'), await at('hosts'), await at('ssh/ssh_host_ed25519_key')]).toEqual([
          `${name}\n`,
          `${name} in round ${number}\n`,
          `secret of ${name}`,
        ]);
      }
    }
  });

  it('is found again by a machine that was installed anew and got its object back', async () => {
    const object = await keepMachineObject(await machineOf('web01'), layout, undefined);
    rmSync(join(base, 'web01'), { recursive: true });
    const anew = await machineOf('web01', '3'.repeat(32));
    await layObject(object, anew.root, 'another boot partition');
    const other = { boot: '11111111-2222-4333-8444-555555555555' };
    expect((await latestObject(stateDirectoryOf(anew, other)))?.digest).toBe(object.digest);
    expect((await keepMachineObject(anew, other, undefined)).number).toBe(1);
  });

  it('has a directory also for a machine without a machine-id', async () => {
    for (const id of ['uninitialized', '', '../../../etc', '0'.repeat(32)]) {
      expect(stateDirectoryOf(await machineOf('web01', id), layout)).toBe(join(shared, layout.boot.toLowerCase()));
    }
  });

  it('is not made in the root where its file system is not mounted', async () => {
    const machine = await machineOf('web01');
    rmSync(shared, { recursive: true });
    await expect(keepMachineObject(machine, layout, undefined)).rejects.toMatchObject({ code: 'object-unfit' });
    expect(await readdir(join(base, 'cluster'))).toEqual([]);
  });
});

it('a machine of its own keeps them where it always did, also where its settings say so', async () => {
  const root = join(base, 'alone');
  const usual = join(root, 'var/lib/imprint/objects');
  for (const text of ['', `stateDirectory: ${usual}/`])
    expect(stateDirectoryOf({ root, settings: parseAgentSettings(text) }, layout)).toBe(usual);
});
