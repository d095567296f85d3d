import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failed } from './prepared.ts';
import { type UpdatedMachine, UpdateLaboratory, type UpdateRow } from './update-story.ts';

/** A row for each machine: another host file system or firmware. */
const rows = {
  ext4: { number: 52, firmware: 'bios', options: { layout: 'files', fileSystem: 'ext4' } },
} as const satisfies Record<string, UpdateRow>;

let laboratory: UpdateLaboratory;

beforeAll(async () => {
  laboratory = await UpdateLaboratory.open(Object.values(rows));
});

afterAll(async () => {
  await laboratory?.[Symbol.asyncDispose]();
});

async function tell(row: UpdateRow, story: (machine: UpdatedMachine) => Promise<void>): Promise<void> {
  try {
    await using machine = await laboratory.install(row);
    await story(machine);
  } catch (error) {
    await failed(laboratory.lab, error);
    throw error;
  }
}

describe('image files', () => {
  it('on ext4: updated, and a panic is survived', () =>
    tell(rows.ext4, async (machine) => {
      await machine.updateOff('good2');
      await machine.isUp();
      await machine.settles('settled');
      expect(await machine.runs()).toBe('web:2');
      expect(await machine.shell('cat /etc/imprint-version; hostname')).toBe(`v2\n${machine.name}`);
      expect(await machine.survives('panic')).not.toBe('');
      expect(await machine.runs()).toBe('web:2');
    }));
});
