import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failed } from './prepared.ts';
import { type UpdatedMachine, UpdateLaboratory, type UpdateRow } from './update-story.ts';

/** Each host file system, both firmwares, and another way of being bad for each. */
const rows = {
  ext4: { number: 52, firmware: 'bios', options: { layout: 'files', fileSystem: 'ext4' } },
  btrfs: { number: 53, firmware: 'uefi', options: { layout: 'files', fileSystem: 'btrfs' } },
  xfs: { number: 54, firmware: 'bios', options: { layout: 'files', fileSystem: 'xfs' } },
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

  it('on btrfs, UEFI: an image that is dropped in by hand runs, and is adopted', () =>
    tell(rows.btrfs, async (machine) => {
      await machine.update('good2');
      await machine.isUp();
      await machine.settles('settled');
      expect(await machine.runs()).toBe('web:2');
      // What an administrator does: a copy of the image, changed, under the name that is known.
      await machine.shell(
        [
          'cp --reflink=never "/hostpart/$(readlink /hostpart/hn-root-old.img)" /hostpart/dropped.tmp',
          'mkdir -p /tmp/dropped && mount -o loop /hostpart/dropped.tmp /tmp/dropped',
          'echo dropped > /tmp/dropped/etc/imprint-version',
          'umount /tmp/dropped && sync && mv /hostpart/dropped.tmp /hostpart/hn-root-new.img && sync',
        ].join(' && '),
        240_000,
      );
      await machine.reboot();
      await machine.isUp();
      await machine.settles('settled');
      expect(await machine.shell('cat /etc/imprint-version')).toBe('dropped');
      expect(await names(machine)).not.toMatch(/hn-root-new/);
      await machine.reboot();
      await machine.isUp();
      expect(await machine.shell('cat /etc/imprint-version')).toBe('dropped');
    }));

  it('on xfs: to another release and back, and a start that never ends is survived', () =>
    tell(rows.xfs, async (machine) => {
      const before = await machine.shell('uname -r; . /etc/os-release; echo $VERSION_CODENAME');
      await machine.update('trixie');
      await machine.isUp();
      await machine.settles('settled');
      expect(await machine.shell('. /etc/os-release; echo $VERSION_CODENAME; hostname')).toBe(
        `trixie\n${machine.name}`,
      );
      machine.mark();
      await machine.imprint('revert --reboot full');
      await machine.isUp();
      expect(await machine.shell('uname -r; . /etc/os-release; echo $VERSION_CODENAME')).toBe(before);
      expect(await machine.survives('startHangs')).not.toBe('');
      expect(await machine.shell('uname -r; . /etc/os-release; echo $VERSION_CODENAME')).toBe(before);
    }));
});
