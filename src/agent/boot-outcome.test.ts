import { expect, it } from 'vitest';
import type { BootEntry } from '../machine/boot-pointer.ts';
import type { UpdateNote } from '../machine/update-note.ts';
import type { MachineView } from '../operations/update/this-machine.ts';
import { makeReport } from './agent-report.ts';
import { notedUpdate } from './boot-outcome.ts';

const entry = (id: string, reference: string): BootEntry => ({
  id,
  slot: id.slice(0, 1),
  reference,
  digest: `sha256:${id.slice(-1).repeat(64)}`,
  title: reference,
  kernelVersion: '6.1',
  kernelOptions: [],
  files: {},
  created: '2026-01-01T00:00:00.000Z',
});
const [one, two] = [entry('a-1', 'web:1'), entry('b-2', 'web:2')];
const note: UpdateNote = {
  format: 1,
  kind: 'update',
  order: 'o1',
  entry: 'b-2',
  from: { image: 'web:1', digest: one.digest },
  to: { image: 'web:2', digest: two.digest },
  started: 1,
  failedUnits: [],
};
const view: MachineView = {
  layout: { format: 1, layout: 'slots', boot: 'u', esp: 'e', slots: [] },
  pointer: { sequence: 3, good: 'a-1', tries: 0 },
  tries: { sequence: 0, left: 0 },
  entries: [one, two],
  systems: [],
  running: one,
  situation: { kind: 'settled', entry: 'a-1' },
  failure: undefined,
  note,
};
const failure = { sequence: 2, entry: 'b-2', reason: 'it hung', time: '2026-01-01T00:00:00.000Z' };
const onTrial = { ...view.pointer, trial: 'b-2', tries: 3 };

it.each<[string, Partial<MachineView>, string]>([
  ['no note', { note: undefined }, 'none'],
  ['never decided', {}, 'none'],
  [
    'waits for the restart',
    { pointer: onTrial, situation: { kind: 'pending', entry: 'a-1', trial: 'b-2' } },
    'going-on',
  ],
  ['on trial', { pointer: onTrial, running: two, situation: { kind: 'trial', entry: 'b-2', left: 2 } }, 'going-on'],
  ['runs', { pointer: { ...view.pointer, good: 'b-2' }, running: two }, 'committed'],
  ['was given up', { failure }, 'fell-back'],
  ['another one was given up', { failure: { ...failure, entry: 'c-3' } }, 'none'],
  [
    'decided, not restarted',
    { pointer: { ...view.pointer, good: 'b-2' }, situation: { kind: 'stray', entry: 'a-1' } },
    'going-on',
  ],
  [
    'is proven, and another system starts by itself',
    { systems: [{ system: 'web', name: 'web', good: 'b-2', standard: false }] },
    'committed',
  ],
])('knows that it %s', (_, more, expected) => {
  const noted = notedUpdate({ ...view, ...more });
  expect(noted.kind === 'ended' ? noted.outcome.kind : noted.kind).toBe(expected);
});

it('reports what there is', () => {
  expect(makeReport('1', 5, undefined)).toEqual({ program: '1', booted: 5 });
  expect(makeReport('1', 5, { ...view, pointer: { ...onTrial, previous: 'b-2' }, failure })).toEqual({
    program: '1',
    booted: 5,
    layout: 'slots',
    situation: 'settled',
    running: { image: 'web:1', digest: one.digest, entry: 'a-1', slot: 'a' },
    previous: { image: 'web:2', digest: two.digest },
    trial: { image: 'web:2', digest: two.digest, left: 3 },
    failure: { image: 'web:2', reason: 'it hung', time: Date.parse(failure.time) },
  });
});
