import { expect, it } from 'vitest';
import type { TaskEvent } from '../foundation/task.ts';
import { ConsoleScreen } from './console-screen.ts';
import { asciiText, formatDuration, wrapText } from './console-text.ts';

function screen() {
  let text = '';
  const clock = { time: 0, now: () => clock.time, sleep: async () => {} };
  const shown = new ConsoleScreen({
    write: (piece) => {
      text += piece;
    },
    clock,
    shellHint: 'A shell: press Enter.',
  });
  let seq = 0;
  const event = (path: string[], kind: TaskEvent['kind'], more: Partial<TaskEvent> = {}) => {
    seq += 1;
    shown.event({ taskId: 't', seq, time: clock.time, path, kind, message: path.at(-1) ?? '', ...more });
  };
  const take = () => {
    const taken = text;
    text = '';
    return taken;
  };
  return { shown, clock, event, take };
}

it('shows steps as lines and moves one line for what takes long', () => {
  const { clock, event, take } = screen();
  event(['install'], 'started');
  event(['install'], 'progress', { done: 0, total: 12, unit: 'steps' });
  event(['install', 'erase /dev/vda'], 'started');
  event(['install', 'erase /dev/vda'], 'finished');
  expect(take()).toBe('  [ ok ]  1/12 erase /dev/vda  0 s\r\n');
  event(['install', 'restore'], 'started');
  expect(take()).toBe('');
  clock.time = 10_000;
  event(['install', 'restore', 'content'], 'progress', { done: 50e6, total: 100e6, unit: 'bytes' });
  const line = take();
  expect(line).toBe('\r  [############------------]  50 %  47.7 MiB of 95.4 MiB  4.77 MiB/s  10 s left');
  expect(line.length).toBeLessThanOrEqual(80);
  clock.time = 10_100;
  event(['install', 'restore', 'content'], 'progress', { done: 51e6, total: 100e6, unit: 'bytes' });
  expect(take()).toBe('');
  clock.time = 45_000;
  event(['install', 'restore'], 'finished');
  expect(take()).toMatch(/^\r +\r {2}\[ ok \] {2}2\/12 restore {2}45 s\r\n$/);
});

it('says when nothing comes any more', () => {
  const { shown, clock, event, take } = screen();
  event(['install', 'restore'], 'started');
  event(['install', 'restore'], 'progress', { done: 1, total: 100, unit: 'bytes' });
  clock.time = 30_000;
  shown.tick();
  expect(take()).toContain('nothing for 30 s');
});

it('shows a failure large, in ASCII and 80 columns', () => {
  const { shown, take } = screen();
  shown.failure('web01: THE INSTALL FAILED.', {
    code: 'disk-in-use',
    message: `/dev/vda is “busy” … ${'word '.repeat(30)}`,
    hint: 'Unmount it.',
    details: {},
  });
  const text = take();
  expect(text).toContain('THE INSTALL FAILED.');
  expect(text).toContain('What to do: Unmount it.');
  expect(text).toContain('A shell: press Enter.');
  expect(text).toMatch(/^[\x20-\x7e\r\n]*$/);
  expect(Math.max(...text.split('\r\n').map((line) => line.length))).toBeLessThanOrEqual(78);
});

it('says the same status once', () => {
  const { shown, take } = screen();
  shown.status('waiting');
  shown.status('waiting');
  expect(take()).toBe('>> waiting\r\n');
});

it('keeps to ASCII', () => {
  expect(asciiText('“a” → b… – ü\u0007')).toBe('"a" -> b... - ??');
  expect(wrapText('aa bb cc', 5)).toEqual(['aa bb', 'cc']);
  expect([formatDuration(4000), formatDuration(125_000), formatDuration(3_725_000)]).toEqual([
    '4 s',
    '2:05',
    '1:02:05',
  ]);
});
