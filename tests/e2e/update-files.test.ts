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
    await using machine = await laboratory.start(row);
    await story(machine);
  } catch (error) {
    await failed(laboratory.lab, error);
    throw error;
  }
}

/** What the names on the host partition stand for: `hn-root.img=web:2 …`. */
async function names(machine: UpdatedMachine): Promise<string> {
  return machine.shell(
    'cd /hostpart; for name in hn-root*.img; do [ -e "$name" ] && echo "$name=$(readlink "$name")"; done; ls system-revert 2>/dev/null || true',
  );
}

describe('image files', () => {
  it('on ext4: updated, a panic is survived, and a file system-revert goes back exactly once', () =>
    tell(rows.ext4, async (machine) => {
      await machine.update('good2');
      await machine.isUp();
      await machine.settles('settled');
      expect(await machine.runs()).toBe('web:2');
      expect(await machine.shell('cat /etc/imprint-version; hostname')).toBe(`v2\n${machine.name}`);
      expect(await machine.survives('panic')).not.toBe('');
      expect(await machine.runs()).toBe('web:2');
      await machine.shell('touch /hostpart/system-revert; sync');
      await machine.reboot();
      await machine.isUp();
      await machine.settles('settled');
      expect(await machine.runs()).toBe('web:1');
      expect(await names(machine)).not.toMatch(/system-revert/);
      await machine.reboot();
      await machine.isUp();
      expect(await machine.runs(), 'exactly once').toBe('web:1');
    }));
});
