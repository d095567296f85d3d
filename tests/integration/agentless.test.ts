import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decideBoot } from '../../src/machine/decide-boot.ts';
import { AgentlessPlace, entryOf, hostLink, hostText, images } from './agentless-place.ts';

const [a, b] = [entryOf('a'), entryOf('b')];
const trial = { pointer: { sequence: 5, good: a, trial: b, tries: 3 }, tries: { sequence: 5, left: 2 } };
const settled = { pointer: { sequence: 5, good: b, previous: a, tries: 0 }, tries: { sequence: 4, left: 2 } };
const trialWords = `imprint.slot=${b} imprint.seq=5 imprint.kind=trial imprint.try=2 imprint.limit=4`;
const newWords =
  'imprint.slot=new imprint.seq=5 imprint.kind=new imprint.try=2 imprint.limit=4 imprint.image=hn-root-new.img';

describe('a trial without an agent', () => {
  test('is committed where the system is up and every check passes', async () => {
    using place = new AgentlessPlace(trial);
    place.healthCheck('passes', 'exit 0');
    expect(place.run('run', trialWords).output).toContain(`${b} is committed`);
    const { pointer } = await place.look();
    expect(pointer).toEqual({ sequence: 6, good: b, previous: a, tries: 0 });
    expect(hostLink(place, 'hn-root.img')).toBe(`images/${images.b}.img`);
    expect(hostLink(place, 'hn-root-old.img')).toBe(`images/${images.a}.img`);
    expect(place.run('over', trialWords).rebooted).toBe(false);
  });

  test.each([
    ['a unit fails', { ...trial, system: 'degraded' }, undefined, 'failed units: broken.service'],
    [
      'the system stays on its way',
      { ...trial, system: 'starting' },
      undefined,
      'the system did not come up: starting',
    ],
    ['a check fails', trial, 'exit 1', 'health.d/check failed'],
  ])('is given up with the reason where %s', async (_name, state, check, reason) => {
    using place = new AgentlessPlace(state);
    if (check !== undefined) place.healthCheck('check', check);
    expect(place.run('run', trialWords).rebooted).toBe(true);
    const { pointer, failure } = await place.look();
    expect(pointer).toEqual(trial.pointer);
    expect(failure).toMatchObject({ sequence: 5, entry: b, reason: expect.stringContaining(reason) });
  });

  test('ends when its time is over', async () => {
    using place = new AgentlessPlace(trial);
    expect(place.run('over', trialWords).rebooted).toBe(true);
    expect((await place.look()).failure?.reason).toBe('not proven within 4 seconds');
  });

  test('that used up its tries is shown as broken, and the good version is settled', async () => {
    using place = new AgentlessPlace({ ...trial, tries: { sequence: 5, left: 0 } });
    place.run('run', `imprint.slot=${a} imprint.seq=5 imprint.kind=good`);
    expect((await place.look()).pointer).toEqual({ sequence: 6, good: a, tries: 0 });
    expect(hostLink(place, 'hn-root-broken.img')).toBe(`images/${images.b}.img`);
    expect(hostLink(place, 'hn-root.img')).toBe(`images/${images.a}.img`);
  });
});

describe.each([
  ['dash', ['dash']],
  ['busybox', ['busybox', 'sh']],
])('the lock of the boot partition, in %s', (_name, shell) => {
  test('is waited for while an agent or a command has it', async () => {
    using place = placeWithSmallFlock();
    const begun = Date.now();
    expect(place.run('run', trialWords, { shell, held: 3 }).output).toContain(`${b} is committed`);
    expect(Date.now() - begun).toBeGreaterThan(2500);
    // No process that it left keeps it.
    expect(execFileSync('flock', ['-n', place.lock, 'echo', 'free'], { encoding: 'utf8' })).toBe('free\n');
    expect((await place.look()).pointer).toEqual({ sequence: 6, good: b, previous: a, tries: 0 });
  });

  test('is not waited for for ever, and nothing is changed then', async () => {
    using place = placeWithSmallFlock();
    const { output, status } = place.run('run', trialWords, { shell, held: 30, patience: 1 });
    expect([status, output]).toEqual([1, expect.stringContaining('another process keeps it')]);
    expect((await place.look()).pointer).toEqual(trial.pointer);
    // A trial whose time is over ends also then.
    expect(place.run('over', trialWords, { shell, held: 30, patience: 1 }).rebooted).toBe(true);
  });
});

test('the lock of the boot partition is held while that is open', () => {
  using place = placeWithSmallFlock();
  // Asked where the record is made, in dash, which has no sha256sum of its own.
  const ask = `if flock -n ${place.lock} true; then echo free; else echo held; fi >>${place.directory}/asked`;
  place.program('sha256sum', `${ask}; exec /usr/bin/sha256sum`);
  expect(place.run('run', trialWords, { shell: ['dash'] }).output).toContain(`${b} is committed`);
  expect(new Set(readFileSync(join(place.directory, 'asked'), 'utf8').trim().split('\n'))).toEqual(new Set(['held']));
});

/** busybox's knows nothing but this. */
function placeWithSmallFlock(): AgentlessPlace {
  const place = new AgentlessPlace(trial);
  place.program('flock', 'case $1 in -[sxun]) exec /usr/bin/flock "$@" ;; *) exit 1 ;; esac');
  return place;
}

describe('a hand-made system-revert', () => {
  test('goes back exactly once', async () => {
    using place = new AgentlessPlace({ ...settled, tries: { sequence: 4, left: 0, revert: 5 } });
    writeFileSync(join(place.host, 'system-revert'), '');
    place.run('run', `imprint.slot=${a} imprint.seq=5 imprint.kind=revert`);
    const { pointer, tries } = await place.look();
    expect(pointer).toEqual({ sequence: 6, good: a, previous: b, tries: 0 });
    expect(existsSync(join(place.host, 'system-revert'))).toBe(false);
    expect(decideBoot(pointer, tries, { revertFile: false })).toMatchObject({ entry: a, kind: 'good' });
  });
});

describe('a hand-dropped image', () => {
  test('that is healthy gets a name, an entry of its own and the pointer', async () => {
    using place = new AgentlessPlace(settled);
    place.drop('the dropped image');
    expect(place.run('run', newWords).output).toContain('hn-root-new.img is committed as file-');
    const { pointer, entries } = await place.look();
    const entry = entries.find(({ id }) => id === pointer?.good);
    expect(pointer).toMatchObject({ sequence: 6, previous: b });
    expect(entry).toMatchObject({ reference: 'hand-dropped', kernelVersion: '6.1.0-test' });
    const image =
      entry?.kernelOptions.find((option) => option.startsWith('imprint.image='))?.slice('imprint.image='.length) ?? '';
    expect(hostText(place, image)).toBe('the dropped image');
    expect(hostLink(place, 'hn-root.img')).toBe(image);
    expect(existsSync(join(place.host, 'hn-root-new.img'))).toBe(false);
    // Nothing names the version from two before any more.
    expect(entries.map(({ id }) => id).sort()).toEqual([b, pointer?.good].sort());
    expect(existsSync(join(place.host, `images/${images.a}.img`))).toBe(false);
  });

  test('takes no image file with it that another entry boots by another kernel', async () => {
    using place = new AgentlessPlace({ ...settled, pointer: { sequence: 5, good: `${b}-k222222`, tries: 0 } });
    await place.refresh('b', `${b}-k222222`);
    place.drop('the dropped image');
    place.run('run', newWords);
    const { pointer, entries } = await place.look();
    expect(pointer).toMatchObject({ previous: `${b}-k222222` });
    expect(entries.map(({ id }) => id)).not.toContain(b);
    expect(hostText(place, `images/${images.b}.img`)).toBe('image b');
    expect(hostLink(place, 'hn-root-old.img')).toBe(`images/${images.b}.img`);
  });

  test('takes nothing with it that the other copy of the pointer needs, until its own is whole', async () => {
    using place = new AgentlessPlace({ ...settled, pointer: { sequence: 5, good: b, tries: 0 }, goodBefore: a });
    place.drop('the dropped image');
    // Cut before the new record.
    place.program('dd', 'kill -9 0');
    place.run('run', newWords);
    expect((await place.look()).entries.map(({ id }) => id)).toEqual(expect.arrayContaining([a, b]));
    expect(hostText(place, `images/${images.a}.img`)).toBe('image a');
  });

  test.each([
    ['proved healthy', newWords],
    ['used up its tries', `imprint.slot=${b} imprint.seq=5 imprint.kind=good`],
  ])('has tries of its own where the one before it %s since the machine started', async (_name, words) => {
    using place = new AgentlessPlace({ ...settled, tries: { sequence: 4, left: 2, newLeft: 0 } });
    place.drop('the first');
    place.run('run', words);
    const { pointer, tries } = await place.look();
    expect(tries).toEqual({ sequence: 4, left: 2 });
    expect(decideBoot(pointer, tries, { droppedImage: true })).toMatchObject({ kind: 'new', left: 2 });
  });

  test('that used up its tries becomes hn-root-broken.img', async () => {
    using place = new AgentlessPlace({ ...settled, tries: { sequence: 4, left: 0, newLeft: 0 } });
    place.drop('broken');
    place.run('run', `imprint.slot=${b} imprint.seq=5 imprint.kind=good`);
    expect(existsSync(join(place.host, 'hn-root-new.img'))).toBe(false);
    expect(hostText(place, 'hn-root-broken.img')).toBe('broken');
    expect((await place.look()).pointer).toEqual(settled.pointer);
  });

  test('is committed whole, or the one before boots, wherever the power fails', { timeout: 170_000 }, async () => {
    let cuts = 0;
    for (let step = 1; ; step += 1) {
      using place = new AgentlessPlace(settled);
      place.drop('the dropped image');
      cutAt(place, step);
      const cut = place.run('run', newWords);
      if (cut.status === 0) break;
      cuts += 1;
      const seen = await place.look();
      const dropped = existsSync(join(place.host, 'hn-root-new.img'));
      const next = decideBoot(seen.pointer, seen.tries, {
        entries: seen.entries.map(({ id }) => id),
        droppedImage: dropped,
      });
      expect(next, `after step ${step}`).toBeDefined();
      expect(seen.entries.map(({ id }) => id)).toContain(seen.pointer?.good);
      if (next?.kind === 'new') {
        cutAt(place, Number.MAX_SAFE_INTEGER);
        expect(place.run('run', newWords).status, `after step ${step}`).toBe(0);
      }
      const end = await place.look();
      expect(end.pointer?.good).not.toBe(b);
      expect(end.pointer?.previous).toBe(b);
      expect(end.entries.map(({ id }) => id)).toContain(end.pointer?.good);
    }
    expect(cuts).toBeGreaterThan(20);
  });
});

/** Kills the whole group instead of running the nth of the programs that change something. */
function cutAt(place: AgentlessPlace, step: number): void {
  writeFileSync(join(place.directory, 'count'), '0\n');
  for (const name of ['cp', 'mv', 'rm', 'ln', 'dd', 'mkdir', 'sync', 'umount', 'fsfreeze', 'sed']) {
    place.program(
      name,
      `read n <${place.directory}/count; n=$((n + 1)); echo $n >${place.directory}/count
[ $n -ge ${step} ] && kill -9 0
PATH=/usr/sbin:/usr/bin:/sbin:/bin; exec ${name} "$@"`,
    );
  }
}
