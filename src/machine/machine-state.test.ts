import { describe, expect, test } from 'vitest';
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
