import { describe, expect, it } from 'vitest';
import type { Digest } from '../../foundation/brand.ts';
import type { Step } from '../../planning/step.ts';
import { type LiveNote, parseNote, renderNote, stepsAfterStart, stepsToGoOn } from './live-note.ts';

const note: LiveNote = {
  ...{ format: 1, name: 'web1', reference: 'web:3', digest: `sha256:${'a'.repeat(64)}` as Digest, record: '{}' },
  ...{ recordSignature: 's', store: 'http://server/store', device: '/dev/sda4', uuid: 'u', fileSystem: 'ext4' },
  ...{ time: 1, order: 'o', steps: [{ kind: 'make-esp', device: '/dev/sda2', volumeId: '1' }] },
};

describe('what is noted of a move', () => {
  it('is read back, and follows its disk to another name', () => {
    expect(parseNote(renderNote(note), '/dev/sda4')).toEqual(note);
    const moved = parseNote(renderNote(note), '/dev/sdb4');
    expect(moved).toMatchObject({ device: '/dev/sdb4', steps: [{ device: '/dev/sdb2' }] });
    const nvme = { ...note, device: '/dev/nvme0n1p4' };
    expect(parseNote(renderNote(nvme), '/dev/nvme1n1p4')).toMatchObject({ device: '/dev/nvme1n1p4' });
  });

  it('is none where it is damaged', () => {
    expect(parseNote('{', '/dev/sda4')).toBeUndefined();
    expect(parseNote('{"format":2}', '/dev/sda4')).toBeUndefined();
  });
});

it('a move that broke off goes on with what is left of it', () => {
  const kinds = ['partition-disk', 'start-live', 'write-fstab', 'hand-over', 'write-boot-partition', 'move-live'];
  const all = kinds.map((kind) => ({ kind })) as unknown as Step[];
  const behind = stepsAfterStart(all);
  const left = (steps: Step[], isKept: boolean, isMoving: boolean) =>
    stepsToGoOn(steps, behind, { isKept, isMoving }).map(({ kind }) => kind);
  expect(left(all, false, false)).toEqual(kinds.slice(2));
  // A second time.
  expect(left(all.slice(2), false, false)).toEqual(kinds.slice(2));
  expect(left(all, true, false)).toEqual(kinds.slice(3));
  expect(left(all, true, true)).toEqual(['move-live']);
});
