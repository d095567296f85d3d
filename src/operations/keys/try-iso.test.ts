import { describe, expect, it } from 'vitest';
import type { Clock } from '../../foundation/clock.ts';
import { type IsoTrial, isEchoed, type TriedMachine, tryImager, tryIso } from './try-iso.ts';

const menu = 'GNU GRUB  version 2.06\r\n';

/** A machine that answers what is typed; its clock runs with the sleeps. It loses one key, the last of `loses`, and that its shift was let go. */
function fakeMachine(answer: (typed: string) => string, { loses = '' } = {}) {
  let said = menu;
  let line = '';
  let now = 0;
  let lost = loses === '';
  let shift = false;
  const typed: string[] = [];
  const machine: TriedMachine = {
    isRunning: true,
    said: async (from = 0) => said.slice(from),
    screenText: async () => '',
    type: async (text) => {
      for (const character of text) {
        if (character === 'c' && line === '' && typed.length === 0) {
          said += 'grub> ';
          typed.push('c');
        } else if (character === '\n') {
          if (line.split('"').length % 2 === 0) {
            line += character;
            said += '\r\n> ';
            continue;
          }
          typed.push(line);
          said += `\r\n${answer(line) || 'grub> '}`;
          line = '';
        } else if (!lost && `${line}${character}`.endsWith(loses)) {
          lost = true;
          shift = true;
        } else {
          shift &&= !/[_"$]/.test(character);
          const shown = shift ? character.toUpperCase() : character;
          line += shown;
          said += shown;
        }
      }
    },
  };
  const clock: Clock = {
    now: () => now,
    sleep: async (milliseconds) => {
      now += milliseconds;
    },
  };
  return { machine, clock, typed, signal: { signal: new AbortController().signal, tell: () => {} } };
}

/** A machine that takes its time for each key, and loses those that come when its keyboard holds all that it can; its entry 3 is the self test. */
function slowMachine({ key = 50, opens = 50, holds = 12, deaf = 0 }) {
  let said = menu;
  let line = '';
  let now = 0;
  let free = 0;
  let lost = deaf;
  let place: 'menu' | 'line' | 'imager' | 'started' = 'menu';
  const lines: string[] = [];
  const queue: { character: string; at: number }[] = [];
  const take = (character: string): string => {
    if (place === 'menu') {
      if (character === 'c') place = 'line';
      return character === 'c' ? 'grub> ' : '';
    }
    if (place === 'imager') {
      if (character === '\n') place = 'started';
      return character === '\n' ? (lines.includes('default=3') ? 'IMAGER-SELFTEST ok' : 'Welcome') : '';
    }
    if (place === 'started') return '';
    if (character !== '\n') {
      line += character;
      return character;
    }
    lines.push(line);
    if (line === 'configfile $prefix/imager.cfg') place = 'imager';
    line = '';
    return place === 'imager' ? menu : '\r\ngrub> ';
  };
  const work = () => {
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      const done = Math.max(free, next.at) + (place === 'menu' ? opens : key);
      if (done > now) return;
      free = done;
      queue.shift();
      said += take(next.character);
    }
  };
  const pass = async (milliseconds: number) => {
    now += milliseconds;
    work();
  };
  const machine: TriedMachine = {
    isRunning: true,
    said: async (from = 0) => said.slice(from),
    screenText: async () => '',
    type: async (text) => {
      for (const character of text) {
        if (place === 'imager' && lost > 0) lost -= 1;
        else if (queue.length < holds) queue.push({ character, at: now });
        await pass(65);
      }
    },
  };
  return { machine, clock: { now: () => now, sleep: pass } satisfies Clock, lines };
}

const live: IsoTrial = { iso: { name: 'live.iso', family: 'debian-live' }, firmware: 'bios', limit: 120 };
const starts = (after: string) => (typed: string) =>
  typed.startsWith('configfile') ? menu : typed === '' ? after : '';

describe('tryImager', () => {
  it('starts the self test of the imager on a key, and reads what comes of it', async () => {
    const said = (text: string) => fakeMachine(starts(`Linux version 6.1\r\n${text}`));
    const good = said('IMAGER-SELFTEST ok node=v26\r\n');
    expect(await tryImager(good.machine, live, good.clock, good.signal)).toEqual({
      ...{ verdict: 'runs', stage: 'running', said: 'IMAGER-SELFTEST ok node=v26' },
    });
    expect(good.typed.slice(1)).toEqual(['default=3', 'export default', 'configfile $prefix/imager.cfg', '']);
    const bad = said('IMAGER-SELFTEST failed no driver for xfs\r\n');
    expect(await tryImager(bad.machine, live, bad.clock, bad.signal)).toMatchObject({
      ...{ verdict: 'failed', stage: 'running', said: 'IMAGER-SELFTEST failed no driver for xfs' },
    });
    const hung = said('');
    expect(await tryImager(hung.machine, live, hung.clock, hung.signal)).toEqual({
      ...{ verdict: 'failed', stage: 'kernel', problem: 'its time was over' },
    });
  });
});

describe('a slow computer', () => {
  const { signal } = fakeMachine(() => '');
  it.each([
    ['whose command line comes after the key was pressed again', { opens: 12_000 }],
    ['that loses keys typed faster than it takes them', { key: 900, holds: 6 }],
    ['whose menu did not get the first key', { deaf: 1 }],
  ])('%s is waited for', async (_, slowness) => {
    const { machine, clock, lines } = slowMachine(slowness);
    expect(await tryImager(machine, { limit: 500 }, clock, signal)).toMatchObject({ verdict: 'runs' });
    expect(lines).toEqual(expect.arrayContaining(['default=3', 'export default']));
  });

  it('is not what a fast one is kept waiting by', async () => {
    const { machine, clock, lines } = slowMachine({});
    await tryImager(machine, { limit: 500 }, clock, signal);
    expect(lines).toEqual(['default=3', 'export default', 'configfile $prefix/imager.cfg']);
    expect(clock.now()).toBeLessThan(10_000);
  });
});

describe('tryIso', () => {
  it('chooses the file, starts its first entry and reads how far it comes', async () => {
    const { machine, clock, typed, signal } = fakeMachine(starts('Linux version 6.1\r\nlive login: '));
    expect(await tryIso(machine, live, clock, signal)).toEqual({
      verdict: 'runs',
      stage: 'running',
      said: 'live login:',
    });
    expect(typed).toContain('iso_path=/live.iso');
    expect(typed).toContain('imprint_words="$imprint_words console=ttyS0,115200"');
    expect(typed.slice(-2)).toEqual(['configfile $prefix/iso.cfg', '']);
  });

  it('chooses another of its entries', async () => {
    const { machine, clock, typed, signal } = fakeMachine(starts('live login: '));
    await tryIso(machine, { ...live, entry: 2 }, clock, signal);
    expect(typed).toEqual(expect.arrayContaining(['default=2', 'export default']));
  });

  it.each([
    ['in the middle', 'imprin', ['impri', '_']],
    ['that ends a quotation', 'tty0"', ['imprint_words="$imprint_words console=tty0\n"']],
  ])('types again what was lost %s, be it shift', async (_, loses, first) => {
    const { machine, clock, typed, signal } = fakeMachine(starts('live login: '), { loses });
    expect((await tryIso(machine, live, clock, signal)).verdict).toBe('runs');
    expect(typed.slice(1, first.length + 2)).toEqual([...first, 'imprint_words="$imprint_words console=tty0"']);
  });

  it('says what it failed at', async () => {
    const { machine, clock, signal } = fakeMachine(starts('Linux version 6.1\r\nBegin: Mounting …\r\n(initramfs) '));
    expect(await tryIso(machine, live, clock, signal)).toEqual({
      verdict: 'failed',
      stage: 'initramfs',
      said: 'Begin: Mounting …',
      problem: '(initramfs)',
    });
  });

  it('gives up when the time is over', async () => {
    const { machine, clock, signal } = fakeMachine(starts('Linux version 6.1\r\n'));
    const outcome = await tryIso(machine, live, clock, signal);
    expect(outcome).toMatchObject({ verdict: 'failed', stage: 'kernel', problem: 'its time was over' });
    expect(clock.now()).toBeLessThan(130_000);
  });

  it('takes the key’s own refusal for what it is', async () => {
    const refusal = 'This ISO cannot be started from its file. It is of no family';
    const { machine, clock, signal } = fakeMachine((typed) => (typed.startsWith('configfile') ? refusal : ''));
    const trial: IsoTrial = { ...live, iso: { name: 'strange.iso' } };
    expect(await tryIso(machine, trial, clock, signal)).toEqual({ verdict: 'refused', stage: 'refused' });
  });

  it('says honestly that a menu of the ISO’s own cannot be heard', async () => {
    const { machine, clock, signal } = fakeMachine(starts(`${menu}EFI stub: Loaded initrd`));
    const trial: IsoTrial = { ...live, iso: { name: 'own.iso', family: 'loopback' }, firmware: 'uefi' };
    expect(await tryIso(machine, trial, clock, signal)).toMatchObject({ verdict: 'unclear', stage: 'kernel' });
  });

  it('refuses a name that it cannot type', async () => {
    const { machine, clock, signal } = fakeMachine(() => '');
    const trial: IsoTrial = { ...live, iso: { name: 'ä b.iso', family: 'debian-live' } };
    expect(await tryIso(machine, trial, clock, signal)).toMatchObject({ verdict: 'failed', stage: 'menu' });
  });
});

it('knows an echo that comes twice', () => {
  expect(isEchoed('sseett  aa==bb', 'set a=b')).toBe(true);
  expect(isEchoed('set a=', 'set a=b')).toBe(false);
});
