import { expect, it } from 'vitest';
import { Invocation } from './command.ts';
import { readUpdateOptions, readWhen } from './update-options.ts';

const read = (options: Record<string, unknown>) => readUpdateOptions(new Invocation('update', [], options));

it('reads what was given, and nothing else', () => {
  expect(read({})).toEqual({});
  expect(
    read({ inPlace: true, slot: 'b', drift: 'keep', reboot: 'kexec', tries: '2', rate: '10M', restartServices: true }),
  ).toEqual({
    inPlace: true,
    slot: 'b',
    drift: 'keep',
    reboot: 'kexec',
    tries: 2,
    rate: 10 * 2 ** 20,
    restartServices: true,
  });
});

it.each([{ tries: '0' }, { tries: '10' }, { rate: 'fast' }, { reboot: 'often' }, { drift: 'x' }])(
  'refuses %j',
  (options) => {
    expect(() => read(options)).toThrow(expect.objectContaining({ code: 'input-invalid' }));
  },
);

it('reads times', () => {
  const now = new Date(2026, 10, 21, 9, 0).getTime();
  expect(readWhen(undefined, now)).toEqual({ kind: 'now' });
  expect(readWhen('reboot', now)).toEqual({ kind: 'reboot' });
  expect(readWhen('09:30', now)).toEqual({ kind: 'at', time: new Date(2026, 10, 21, 9, 30).getTime() });
  expect(readWhen('02:30', now)).toEqual({ kind: 'at', time: new Date(2026, 10, 22, 2, 30).getTime() });
  expect(readWhen('2026-11-21T02:30:00Z', now)).toEqual({ kind: 'at', time: Date.UTC(2026, 10, 21, 2, 30) });
  for (const text of ['25:00', 'soon', '2026-99-99'])
    expect(() => readWhen(text, now)).toThrow(expect.objectContaining({ code: 'input-invalid' }));
});
