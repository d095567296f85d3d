import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Task } from '../../src/foundation/task.ts';
import type { TrialCount } from '../../src/machine/boot-pointer.ts';
import { decideBoot } from '../../src/machine/decide-boot.ts';
import { commitMachine } from '../../src/operations/update/commit-machine.ts';
import { proveTrial } from '../../src/operations/update/prove-trial.ts';
import { revertMachine } from '../../src/operations/update/revert-machine.ts';
import { settleBoot } from '../../src/operations/update/settle-boot.ts';
import { lookAtMachine } from '../../src/operations/update/this-machine.ts';
import type { Processes } from '../../src/system/run.ts';
import { AgentlessPlace, entryOf, hostText } from './agentless-place.ts';

const [a, b] = [entryOf('a'), entryOf('b')];
const settled = { pointer: { sequence: 5, good: b, previous: a, tries: 0 }, tries: { sequence: 4, left: 2 } };
const goodWords = `imprint.slot=${b} imprint.seq=5`;

describe.skipIf(process.geteuid?.() !== 0)('system-revert on the host partition', () => {
  const asked = { ...settled, tries: { sequence: 4, left: 0, revert: 5 } };

  test.each([
    ['a revert', async (place: AgentlessPlace) => revertMachine(place.machine(goneBack), none, Task.silent())],
    [
      'a commit',
      async (place: AgentlessPlace) => commitMachine(place.machine(goneBack), { force: true }, Task.silent()),
    ],
  ])('goes back once, also where %s comes before the agent has seen it', async (_name, act) => {
    using place = new AgentlessPlace(asked);
    writeFileSync(join(place.host, 'system-revert'), '');
    await act(place);
    expect(existsSync(join(place.host, 'system-revert'))).toBe(false);
  });

  const goneBack = `imprint.slot=${a} imprint.seq=5`;
  const none = { options: { reboot: 'none' as const } };

  test('does not go back from where a revert by command has led', async () => {
    using place = new AgentlessPlace(settled);
    writeFileSync(join(place.host, 'system-revert'), '');
    await revertMachine(place.machine(goodWords), none, Task.silent());
    const { pointer, tries } = await place.look();
    const revertFile = existsSync(join(place.host, 'system-revert'));
    expect(decideBoot(pointer, tries, { revertFile })).toMatchObject({ entry: a, kind: 'good' });
  });

  test('that leads nowhere does not wait for a version to go back from', async () => {
    using place = new AgentlessPlace({ ...settled, pointer: { sequence: 5, good: b, tries: 0 } });
    writeFileSync(join(place.host, 'system-revert'), '');
    await settleBoot(place.machine(goodWords));
    expect(existsSync(join(place.host, 'system-revert'))).toBe(false);
  });

  test('waits for its boot where there is something to go back to', async () => {
    using place = new AgentlessPlace(settled);
    writeFileSync(join(place.host, 'system-revert'), '');
    await settleBoot(place.machine(goodWords));
    expect(existsSync(join(place.host, 'system-revert'))).toBe(true);
  });
});

describe.skipIf(process.geteuid?.() !== 0)('a hand-dropped image after one that was given up', () => {
  const state = (newLeft: number): { tries: TrialCount; pointer: typeof settled.pointer } => ({
    ...settled,
    tries: { sequence: 4, left: 2, newLeft },
  });

  test('has tries of its own, though GRUB never saw that none was there', async () => {
    using place = new AgentlessPlace(state(0));
    place.drop('the first');
    await settleBoot(place.machine(goodWords));
    expect(hostText(place, 'hn-root-broken.img')).toBe('the first');
    place.drop('the second');
    await settleBoot(place.machine(goodWords));
    expect(hostText(place, 'hn-root-new.img')).toBe('the second');
    const { pointer, tries } = await place.look();
    expect(decideBoot(pointer, tries, { droppedImage: true })).toMatchObject({ kind: 'new', left: 2 });
  });

  test('keeps its count while it is there', async () => {
    using place = new AgentlessPlace(state(1));
    place.drop('the first');
    await settleBoot(place.machine(goodWords));
    expect((await place.look()).tries).toEqual({ sequence: 4, left: 2, newLeft: 1 });
  });
});

describe.skipIf(process.geteuid?.() !== 0)('a trial that is decided by hand while its health is looked at', () => {
  const onTrial = { pointer: { sequence: 5, good: a, trial: b, tries: 3 }, tries: { sequence: 5, left: 2 } };
  const words = `imprint.slot=${b} imprint.seq=5 imprint.try=2`;

  /** `systemctl` says that the system runs, or not, but only after `act`. */
  async function prove(place: AgentlessPlace, state: string, act: () => Promise<unknown>) {
    const machine = place.machine(words);
    const end = new AbortController();
    let done = false;
    const run: Processes['run'] = async (command, args, options) => {
      // This computer must not restart, whatever the test finds.
      if (args.includes('reboot')) end.abort();
      if (command !== 'systemctl') return machine.processes.run(command, args, options);
      if (!done) {
        done = true;
        await act();
      }
      return { status: 0, stdout: state, stderr: '' } as Awaited<ReturnType<Processes['run']>>;
    };
    const processes: Processes = { ...machine.processes, run };
    const log: string[] = [];
    const said = (message: string) => void log.push(message);
    const proof = { signal: end.signal, log: said };
    await proveTrial({ ...machine, processes }, await lookAtMachine(machine), proof);
    return log;
  }

  test('stays reverted, however healthy it is', async () => {
    using place = new AgentlessPlace(onTrial);
    const request = { options: { reboot: 'none' as const } };
    const log = await prove(place, 'running', () => revertMachine(place.machine(words), request, Task.silent()));
    expect(log).toEqual(['the trial was decided by hand']);
    expect((await place.look()).pointer).toMatchObject({ sequence: 6, good: a });
  });

  test('stays committed, and the machine is not restarted, however ill it is', async () => {
    using place = new AgentlessPlace(onTrial);
    const log = await prove(place, 'stopping', () =>
      commitMachine(place.machine(words), { force: true }, Task.silent()),
    );
    expect(log).toEqual(['the trial was decided by hand']);
    expect(await place.look()).toMatchObject({ pointer: { good: b, previous: a }, failure: undefined });
  });
});

describe.skipIf(process.geteuid?.() !== 0)('a file that somebody put under a name of the view', () => {
  test.each([
    ['the agent', (place: AgentlessPlace) => settleBoot(place.machine(goodWords))],
    ['the shell', async (place: AgentlessPlace) => place.run('run', `${goodWords} imprint.kind=good`)],
  ])('is kept by %s', async (_name, settle) => {
    using place = new AgentlessPlace(settled);
    writeFileSync(join(place.host, 'hn-root.img'), 'not what anybody expected');
    await settle(place);
    expect(hostText(place, 'hn-root.img')).toBe('image b');
    expect(hostText(place, 'hn-root.img.aside')).toBe('not what anybody expected');
  });
});

describe.skipIf(process.geteuid?.() !== 0)('a version that boots by two kernels', () => {
  test('is gone back to by the one that is good', async () => {
    const newer = `${b}-k222222`;
    using place = new AgentlessPlace({ ...settled, pointer: { sequence: 5, good: newer, previous: b, tries: 0 } });
    await place.refresh('b', newer);
    const words = `imprint.slot=${newer} imprint.seq=5`;
    const request = { to: 'web:2', options: { reboot: 'none' as const } };
    const outcome = await revertMachine(place.machine(words), request, Task.silent());
    expect(outcome?.result).toMatchObject({ kind: 'current', entry: newer });
  });
});
