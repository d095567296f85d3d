import { expect, it } from 'vitest';
import { noteSize, parseUpdateNote, renderUpdateNote, type UpdateNote } from './update-note.ts';

const note: UpdateNote = {
  format: 1,
  kind: 'update',
  order: 'o1',
  entry: 'b-2',
  from: { image: 'web:1', digest: `sha256:${'a'.repeat(64)}` },
  to: { image: 'web:2', digest: `sha256:${'b'.repeat(64)}` },
  started: 5,
  failedUnits: ['a.service'],
};

it('is read as it was written, always of one length', () => {
  expect(parseUpdateNote(renderUpdateNote(note))).toEqual(note);
  expect(parseUpdateNote(renderUpdateNote(undefined))).toBeUndefined();
  const many = { ...note, failedUnits: Array.from({ length: 1000 }, (_, index) => `unit-${index}.service`) };
  for (const each of [note, undefined, many]) expect(Buffer.from(renderUpdateNote(each)).length).toBe(noteSize);
  expect(parseUpdateNote(renderUpdateNote(many))?.failedUnits).toHaveLength(100);
});

it.each(['', '\0\0', '{', '{"format":2}', 'null'])('is none where it says %j', (text) => {
  expect(parseUpdateNote(text)).toBeUndefined();
});
