import { expect, it } from 'vitest';
import { ImprintError } from '../../foundation/errors.ts';
import { patientReads } from './patient-reads.ts';

const away = () => new ImprintError('store-unreachable', { store: 'http://server/store', problem: 'no answer' });
const bytes = Buffer.from('content');

function patient(read: (position: number) => Promise<Uint8Array>) {
  const pauses: number[] = [];
  const told: (string | undefined)[] = [];
  const end = new AbortController();
  const clock = {
    now: () => 0,
    sleep: async (milliseconds: number) => {
      pauses.push(milliseconds);
      if (pauses.length > 50) end.abort();
    },
  };
  const tell = (problem: ImprintError | undefined) => told.push(problem?.code);
  return { reads: patientReads({ read, clock, signal: end.signal, tell }), pauses, told };
}

it('waits out a server that is away, ever longer, and says so once', async () => {
  let left = 9;
  const { reads, pauses, told } = patient(async () => {
    left -= 1;
    if (left > 0) throw away();
    return bytes;
  });
  expect(await reads(0, 7)).toBe(bytes);
  expect(pauses).toEqual([200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
  expect(told).toEqual(['store-unreachable', undefined]);
});

it('says that all is well when the last of several that waited has come', async () => {
  const failures = [3, 1];
  const { reads, told } = patient(async (which) => {
    failures[which] = (failures[which] ?? 0) - 1;
    if ((failures[which] ?? 0) >= 0) throw away();
    return bytes;
  });
  await Promise.all([reads(0, 7), reads(1, 7)]);
  expect(told).toEqual(['store-unreachable', undefined]);
});

it('gives up when it is told to, and at once where there is nothing to wait for', async () => {
  const never = patient(() => Promise.reject(away()));
  await expect(never.reads(0, 7)).rejects.toThrow();
  expect(never.told).toEqual(['store-unreachable']);
  const behind = patient(() => Promise.reject(new RangeError('behind the end')));
  await expect(behind.reads(0, 7)).rejects.toThrow(RangeError);
  expect(behind.pauses).toEqual([]);
});
