import { describe, expect, it } from 'vitest';
import { Task } from '../../foundation/task.ts';
import { liveArea } from '../../machine/live-area.ts';
import type { LiveRecord } from '../../machine/live-record.ts';
import type { LiveOrigin } from './live-origin.ts';
import { keepRunning, piecesOf, type TakeOver, takeOver } from './take-over.ts';

const [size, length] = [800, 20_000];
const { changesAt, changesLength } = liveArea(length, size) as NonNullable<ReturnType<typeof liveArea>>;
const record: LiveRecord = {
  ...{ sequence: 1, phase: 'copying', source: 'x', size, start: 0, length, changesAt, changesLength },
};

function wishFor(done: string[]): TakeOver {
  const origin = { device: '/dev/mapper/imprint-live' } as LiveOrigin;
  return {
    record,
    disk: { device: '/dev/vda3', [Symbol.asyncDispose]: async () => void done.push('let go of the disk') },
    running: { origin, changesMoved: async () => void done.push('moved') },
    processes: {
      run: async (tool) => {
        done.push(tool);
        return { stdout: '', stderr: '', status: 0 };
      },
    },
  };
}

function machineThat(fails: string | undefined): { done: string[]; machine: Parameters<typeof takeOver>[0] } {
  const done: string[] = [];
  const act = (what: string) => async (device: string) => {
    if (fails === `${what} ${device}`) throw new Error(fails);
    done.push(`${what} ${device}`);
  };
  return { done, machine: { create: act('create'), replace: act('replace'), remove: act('remove') } };
}

describe('taking over a root that is in use', () => {
  it('makes all that lies below before the root is changed, and never makes the root', async () => {
    const { done, machine } = machineThat(undefined);
    await takeOver(machine, wishFor(done), Task.silent());
    expect(done).toEqual(['sync', 'create base', 'create changes', 'create top', 'replace root', 'moved']);
  });

  it.each([
    ['create base', []],
    ['create top', ['create base', 'create changes', 'remove changes', 'remove base']],
    ['replace root', ['create base', 'create changes', 'create top', 'remove top', 'remove changes', 'remove base']],
  ])('leaves nothing behind where it fails to %s', async (fails, expected) => {
    const { done, machine } = machineThat(fails);
    await expect(takeOver(machine, wishFor(done), Task.silent())).rejects.toThrow(fails);
    expect(done).toEqual(['sync', ...expected, 'let go of the disk']);
  });
});

it('brings what lies in memory to the disk, and makes it lasting', async () => {
  const done: string[] = [];
  const machine = {
    copy: async ({ start, length }: { start: number; length: number }) => void done.push(`copy ${start}+${length}`),
    keepCopied: async () => void done.push('keep'),
  };
  await keepRunning(machine, { running: { kept: async () => [{ start: 8, length: 24 }] }, atOnce: 16 }, Task.silent());
  expect(done).toEqual(['copy 8+16', 'copy 24+8', 'keep']);
});

it('cuts runs into pieces', () => {
  const runs = [
    { start: 8, length: 24 },
    { start: 80, length: 8 },
  ];
  expect([...piecesOf(runs, 16)]).toEqual([
    { start: 8, length: 16 },
    { start: 24, length: 8 },
    { start: 80, length: 8 },
  ]);
});
