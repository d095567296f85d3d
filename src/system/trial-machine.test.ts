import { expect, it } from 'vitest';
import { keysOf, readTextScreen } from './trial-machine.ts';

it('reads a text screen', () => {
  const memory = new Uint8Array(4000);
  for (const [index, character] of [...'iPXE 1.21'].entries())
    memory.set([character.charCodeAt(0), 7], 160 + index * 2);
  expect(readTextScreen(memory)).toBe('\niPXE 1.21');
  expect(readTextScreen(new Uint8Array(0))).toBe('');
});

it('has a key for all that names and GRUB’s words are made of', () => {
  const missing = [...'abcXYZ059 ="$_-+~./,\n'].filter((character) => keysOf(character) === undefined);
  expect(missing).toEqual([]);
  expect(keysOf('_')).toEqual(['shift', 'minus']);
  expect(keysOf('ä')).toBeUndefined();
});
