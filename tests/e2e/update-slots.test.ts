import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failed } from './prepared.ts';
import { UpdateLaboratory, type UpdateRow } from './update-story.ts';

const bios: UpdateRow = { number: 51, firmware: 'bios', options: { layout: 'slots', fileSystem: 'ext4' } };

let laboratory: UpdateLaboratory;

beforeAll(async () => {
  laboratory = await UpdateLaboratory.open([bios]);
});

afterAll(async () => {
  await laboratory?.[Symbol.asyncDispose]();
});

describe('two system partitions', () => {
  it('are filled in turn: updated, committed, given up when it is bad', async () => {
    try {
      await using machine = await laboratory.start(bios);
      await machine.update('good2');
      await machine.isUp();
      await machine.settles('settled');
      expect(await machine.runs()).toBe('web:2');
      expect(await machine.shell('cat /etc/imprint-version; hostname')).toBe(`v2\n${machine.name}`);
      expect(await machine.survives('serviceFails')).toMatch(/nginx/);
      expect(await machine.runs()).toBe('web:2');
    } catch (error) {
      await failed(laboratory.lab, error);
      throw error;
    }
  });
});
