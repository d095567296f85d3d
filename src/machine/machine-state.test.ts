import { describe, expect, test } from 'vitest';
import type { AgentReport } from '../contract/agent-report.ts';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { isBusy, type MachineEvent, type MachineRecord, nextMachine } from './machine-state.ts';

const digest = `sha256:${'a'.repeat(64)}` as Digest;
const placed: MachineEvent = { kind: 'order-placed', order: { id: 'o1', image: 'web:1', digest, placed: 1 } };
const taken: MachineEvent = { kind: 'order-taken', session: 's1', time: 2 };
const installed: MachineEvent = { kind: 'installed', time: 3 };
const healthy: MachineEvent = { kind: 'healthy', time: 4 };
const error = new ImprintError('disk-none', { machine: 'm', reasons: 'none' }).toValue();
const refused: MachineEvent = { kind: 'refused', error, time: 5 };
const failed: MachineEvent = { kind: 'failed', error, time: 5 };
const cancelled: MachineEvent = { kind: 'order-cancelled', time: 6 };
const heard: MachineEvent = { kind: 'heard', time: 7 };
const approved: MachineEvent = { kind: 'approved', name: 'web01' };
const named: MachineEvent = { kind: 'image-set', image: 'web' };
const silent: MachineEvent = { kind: 'silent', problem: { code: 'machine-silent', message: '', hint: '', time: 8 } };

const discovered: MachineRecord = {
  name: 'mac-1',
  approved: false,
  state: 'discovered',
  macs: [],
  options: {},
  created: 0,
};

function follow(...events: MachineEvent[]): MachineRecord {
  return events.reduce(nextMachine, discovered);
}

describe('the state of a machine', () => {
  test.each<[string, MachineEvent[], Partial<MachineRecord>]>([
    ['a discovered one with an image stays discovered', [named], { state: 'discovered' }],
    ['a discovered one takes no order', [placed], { state: 'discovered', order: undefined as never }],
    ['a name alone registers', [approved], { state: 'registered', name: 'web01' }],
    ['a name and an image assign', [approved, named], { state: 'assigned' }],
    ['a name after the image assigns too', [named, approved], { state: 'assigned' }],
    ['an order assigns', [approved, placed], { state: 'assigned' }],
    ['an imager that takes it installs', [approved, placed, taken], { state: 'installing' }],
    [
      'the outcome consumes the order',
      [approved, placed, taken, installed],
      { state: 'installed', order: undefined as never },
    ],
    ['the first boot is healthy', [approved, placed, taken, installed, healthy], { state: 'healthy' }],
    ['being healthy without an install is nothing', [approved, healthy], { state: 'registered' }],
    ['an outcome without an order is nothing', [approved, installed, failed, refused], { state: 'registered' }],
    [
      'a healthy one that is ordered again is assigned',
      [approved, placed, taken, installed, healthy, placed],
      { state: 'assigned' },
    ],
    [
      'a refusal keeps the order and says why',
      [approved, placed, taken, refused],
      { state: 'failed', problem: { code: 'disk-none', message: error.message, hint: error.hint, time: 5 } },
    ],
    ['a cancelled order leaves it as it was', [approved, named, placed, cancelled], { state: 'assigned' }],
    [
      'a cancelled second order leaves the first install',
      [approved, placed, taken, installed, placed, cancelled],
      { state: 'installed' },
    ],
    [
      'a cancelled refusal is forgotten',
      [approved, placed, taken, refused, cancelled],
      { state: 'registered', problem: undefined as never },
    ],
    [
      'a cancel in the middle leaves no system',
      [approved, placed, taken, cancelled],
      { state: 'failed', installed: undefined as never },
    ],
    ['a second order does not replace one at work', [approved, placed, taken, placed], { state: 'installing' }],
    [
      'silence in the middle is a problem',
      [approved, placed, taken, silent],
      { state: 'installing', problem: silent.problem },
    ],
    [
      'being heard again ends it',
      [approved, placed, taken, silent, heard],
      { state: 'installing', problem: undefined as never },
    ],
    ['silence of one at rest is none', [approved, silent], { state: 'registered', problem: undefined as never }],
    ['being heard does not end a refusal', [approved, placed, taken, refused, heard], { state: 'failed' }],
  ])('%s', (_title, events, expected) => {
    const machine = follow(...events);
    for (const [key, value] of Object.entries(expected))
      expect(machine[key as keyof MachineRecord], key).toEqual(value);
  });

  test('a failed install no longer counts as installed; a refused one still does', () => {
    const again = [approved, placed, taken, installed, placed, taken] as const;
    expect(follow(...again, failed).installed).toBeUndefined();
    expect(follow(...again, refused).installed).toMatchObject({ digest });
  });

  test('is busy only while an imager is at work', () => {
    expect(isBusy(follow(approved, placed))).toBe(false);
    expect(isBusy(follow(approved, placed, taken))).toBe(true);
    expect(isBusy(follow(approved, placed, taken, refused))).toBe(false);
  });
});

describe('a machine with an agent', () => {
  const running = { entry: 'a-1', slot: 'a', image: 'web:1', digest };
  const report = { program: '1', booted: 1, running, situation: 'settled' };
  const reported: MachineEvent = { kind: 'reported', report, time: 10 };
  const booting = (firstBoot: AgentReport['firstBoot']): MachineEvent => ({
    ...{ kind: 'reported', time: 10 },
    report: { ...report, firstBoot },
  });
  const order = { id: 'u1', kind: 'update', image: 'web:2', digest, placed: 11, options: {} } as const;
  const ordered: MachineEvent = { kind: 'update-placed', update: order };
  const begun: MachineEvent = { kind: 'update-taken', session: 's2', time: 12 };
  const staged: MachineEvent = { kind: 'staged', time: 13 };
  const failure = { image: 'web:2', reason: 'it hung', time: 14 };
  const fellBack: MachineEvent = { kind: 'update-ended', time: 14, error, reverted: true };

  test('has no problem any more when the scripts of its first boot are done', () => {
    const failed = booting({ state: 'failed', script: '20-b', status: 5, log: 'no such realm' });
    expect(follow(approved, failed).problem?.code).toBe('first-boot-failed');
    expect(follow(approved, failed, booting({ state: 'running' })).problem).toBeUndefined();
    expect(follow(approved, failed, reported).problem).toBeUndefined();
  });

  test.each<[string, MachineEvent[], Partial<MachineRecord>]>([
    ['is healthy when it says what it runs', [approved, reported], { state: 'healthy', installed: expect.anything() }],
    [
      'is not healthy before the scripts of its first boot are done',
      [approved, reported, booting({ state: 'running' })],
      { state: 'installed' },
    ],
    [
      'says which of them failed, and boots from its disk all the same',
      [approved, booting({ state: 'failed', script: '20-b', status: 5, log: 'no such realm' })],
      {
        state: 'installed',
        problem: expect.objectContaining({
          code: 'first-boot-failed',
          message: expect.stringContaining('status 5: no such realm'),
        }),
      },
    ],
    [
      'is healthy when they are',
      [approved, booting({ state: 'failed', script: '20-b' }), reported],
      { state: 'healthy' },
    ],
    ['is nothing before it has a name', [reported], { state: 'discovered' }],
    ['keeps its state while an order waits', [approved, reported, ordered], { state: 'healthy' }],
    ['takes no order while one is carried out', [approved, reported, ordered, begun, ordered], { state: 'updating' }],
    ['is on trial when all is written', [approved, reported, ordered, begun, staged], { state: 'trial' }],
    ['stays so whatever it says meanwhile', [approved, reported, ordered, begun, staged, reported], { state: 'trial' }],
    ['goes on with it after a restart', [approved, reported, ordered, begun, staged, begun], { state: 'trial' }],
    [
      'is healthy with the new version',
      [
        approved,
        reported,
        ordered,
        begun,
        staged,
        { kind: 'update-ended', time: 15, running: { image: 'web:2', digest } },
      ],
      { state: 'healthy', installed: { image: 'web:2', digest, time: 15, order: '' }, update: undefined as never },
    ],
    ['says that it fell back', [approved, reported, ordered, begun, staged, fellBack], { state: 'reverted' }],
    [
      'keeps saying so',
      [
        approved,
        reported,
        ordered,
        begun,
        staged,
        fellBack,
        { kind: 'reported', report: { ...report, failure }, time: 16 },
      ],
      { state: 'reverted', problem: expect.objectContaining({ code: 'trial-failed' }) },
    ],
    [
      'failed before anything counted: it is well',
      [approved, reported, ordered, begun, { kind: 'update-ended', time: 14, error }],
      { state: 'healthy', problem: expect.objectContaining({ code: 'disk-none' }) },
    ],
    [
      'an install that is ordered comes first',
      [approved, reported, ordered, placed],
      { state: 'assigned', update: undefined as never },
    ],
    ['an install that goes on is not disturbed', [approved, placed, taken, reported], { state: 'installing' }],
    [
      'its order is taken back',
      [approved, reported, ordered, begun, { kind: 'update-cancelled' }],
      { state: 'healthy' },
    ],
  ])('%s', (_, events, expected) => {
    const machine = follow(...events);
    for (const [key, value] of Object.entries(expected)) expect(machine[key as keyof MachineRecord]).toEqual(value);
  });
});
