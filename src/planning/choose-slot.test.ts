import { expect, it } from 'vitest';
import type { BootEntry, BootPointer } from '../machine/boot-pointer.ts';
import { machineSystems } from '../machine/boot-systems.ts';
import type { PartitionSlot } from '../machine/installed-layout.ts';
import { chooseSlot, chooseSpare, entriesThatStay, type SlotQuestion } from './choose-slot.ts';

const slot = (name: string): PartitionSlot => ({
  name,
  uuid: `u-${name}`,
  partitionUuid: `p-${name}`,
  fileSystem: 'ext4',
});
const entry = (id: string, created = '2026-01-01'): BootEntry => ({
  id,
  slot: id.split('-')[0] ?? '',
  reference: 'web:1',
  digest: '',
  title: '',
  kernelVersion: '',
  kernelOptions: [],
  files: {},
  created,
});
const pointer: BootPointer = { sequence: 1, good: 'a-1', previous: 'b-0', tries: 0 };
const two: SlotQuestion = { slots: ['a', 'b'].map(slot), pointer, entries: [entry('a-1'), entry('b-0')], running: 'a' };
const four: SlotQuestion = {
  ...two,
  slots: ['a', 'b', 'c', 'd'].map(slot),
  entries: [entry('a-1'), entry('b-0', '2020'), entry('c-1', '2025'), entry('d-1', '2024')],
};

it.each<[string, SlotQuestion, string | undefined]>([
  ['the other of two', two, 'b'],
  ['the oldest that nothing names', four, 'd'],
  ['an empty one first', { ...four, entries: four.entries.slice(0, 3) }, 'd'],
  ['the one that was asked for', { ...four, asked: 'b' }, 'b'],
  ['not the good one', { ...two, running: 'b', asked: 'a' }, undefined],
  ['not the one that runs', { ...four, running: 'c', asked: 'c' }, undefined],
  ['not one that is not there', { ...two, asked: 'x' }, undefined],
  ['none where one runs and the other is good', { ...two, running: 'b' }, undefined],
  ['the good one is known though its entry is damaged', { ...two, entries: [entry('b-0')], running: 'b' }, undefined],
  ['of three, neither what runs nor the good one', { ...four, slots: ['a', 'b', 'c'].map(slot), running: 'b' }, 'c'],
])('%s', (_, question, expected) => {
  const choice = chooseSlot(question);
  expect(choice.kind === 'slot' ? choice.slot.name : undefined).toBe(expected);
});

it('keeps the image files of what runs, of the good version and of the one before, but for the version that comes', () => {
  const entries = [entry('file-1'), { ...entry('file-0'), digest: 'before' }, entry('file-x')];
  const question = { pointer: { ...pointer, good: 'file-1', previous: 'file-0' }, entries, running: 'file-x' };
  expect(entriesThatStay(question, 'new')).toEqual(['file-1', 'file-x', 'file-0']);
  expect(entriesThatStay(question, 'before')).toEqual(['file-1', 'file-x']);
  expect(entriesThatStay({ ...question, running: 'file-0' }, 'before')).toEqual(['file-1', 'file-0']);
});

const besides = [
  { ...entry('a-1'), system: 'web' },
  { ...entry('b-2', '2024'), system: 'db' },
  { ...entry('c-1', '2023'), system: 'db' },
];
const systems: SlotQuestion = {
  ...four,
  pointer: { sequence: 1, good: 'a-1', tries: 0 },
  entries: besides,
  systems: machineSystems({ sequence: 1, good: 'a-1', tries: 0 }, besides, [{ system: 'db', good: 'b-2' }]),
  system: 'web',
};
const full: SlotQuestion = { ...systems, slots: ['a', 'b', 'c'].map(slot) };

it.each<[string, SlotQuestion, string | undefined]>([
  ['a spare one', systems, 'd'],
  ['none of another system', full, undefined],
  ['not the last good one of another system, though asked for', { ...systems, asked: 'b' }, undefined],
  ['not an old one of another system, though asked for', { ...systems, asked: 'c' }, undefined],
  ['an old one of its own', { ...full, system: 'db', running: 'b' }, 'c'],
  ['not what starts by itself, from beside it', { ...systems, system: 'db', running: 'b', asked: 'a' }, undefined],
])('with several systems chooses %s', (_, question, expected) => {
  const choice = chooseSlot(question);
  expect(choice.kind === 'slot' ? choice.slot.name : undefined).toBe(expected);
});

it.each<[string, SlotQuestion, string | undefined]>([
  ['what holds nothing', systems, 'd'],
  ['nothing where all hold something', { ...full, system: 'db', running: 'b' }, undefined],
  ['an old one of the same system that was asked for', { ...full, system: 'db', running: 'b', asked: 'c' }, 'c'],
  ['none of another system that was asked for', { ...full, system: 'mail', asked: 'c' }, undefined],
])('fills %s beside the others', (_, question, expected) => {
  const choice = chooseSpare(question);
  expect(choice.kind === 'slot' ? choice.slot.name : undefined).toBe(expected);
});
