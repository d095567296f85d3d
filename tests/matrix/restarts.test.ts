import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemProcesses } from '../../src/system/run.ts';
import { failed } from '../e2e/prepared.ts';
import { type UpdatedMachine, UpdateLaboratory, type UpdateRow } from '../e2e/update-story.ts';
import { restartStore } from './restart-store.ts';
import { record } from './table.ts';

const row: UpdateRow = {
  ...{ number: 71, firmware: 'bios', options: { layout: 'slots', fileSystem: 'ext4' }, watchdog: true },
};
const minute = 60_000;

let laboratory: UpdateLaboratory;
/** Runs `quick`; the slot before it has `otherKernel`. */
let settled: UpdatedMachine;

beforeAll(async () => {
  laboratory = await UpdateLaboratory.open([row]);
  await systemProcesses.run('cp', ['-a', `${await restartStore()}/.`, laboratory.lab.data], { timeout: 2 * minute });
  settled = await laboratory.install(row);
  const settle = (version: string) =>
    settled.whileOff([
      ...([{ act: 'boot' }, { act: 'update', version }, { act: 'shutDown' }] as const),
      ...([{ act: 'boot' }, { act: 'commit' }] as const),
    ]);
  await settle('otherKernel');
  await settle('quick');
});

afterAll(async () => {
  await laboratory?.[Symbol.asyncDispose]();
});

/** Starts a command of Imprint that restarts the machine, and leaves it: what it says comes on the console. */
async function restartBy(machine: UpdatedMachine, command: string, says: RegExp): Promise<void> {
  machine.mark();
  await machine.shell(`setsid sh -c 'imprint ${command} >/dev/console 2>&1' </dev/null >/dev/null 2>&1 &`);
  // An update comes before it.
  await machine.says(says, 12 * minute);
}

/** Waits until it has started once more since the mark, and has proven what runs. Returns its version's tag. */
async function settles(machine: UpdatedMachine, patience?: number): Promise<string> {
  await machine.isUp(patience);
  await machine.settles('settled');
  const record = await machine.shell('cat /var/lib/imprint/version.json');
  return (JSON.parse(record) as { message: string }).message;
}

/** A test of one machine, which is told in the table. */
function story(name: string, act: (machine: UpdatedMachine) => Promise<string>): void {
  it(
    name,
    async () => {
      const began = performance.now();
      const seconds = () => (performance.now() - began) / 1000;
      const told = { row: 'restarts, on Debian 13', name, seconds };
      try {
        await using machine = await settled.copy(name.replaceAll(/\W+/g, '-'));
        record({ ...told, outcome: await act(machine) });
      } catch (error) {
        record({ ...told, outcome: `FAILED: ${String(error).split('\n', 1)[0]}` });
        await failed(laboratory.lab, error);
        throw error;
      }
    },
    30 * minute,
  );
}

const bootId = 'cat /proc/sys/kernel/random/boot_id';
/** GRUB names the kernel's file to the kernel; kexec does not. */
const startedByGrub = 'grep -c BOOT_IMAGE /proc/cmdline || true';

story('a kernel that stands still: the watchdog resets the machine', async (machine) => {
  await machine.updateOff('kernelHangs13');
  await machine.says(/SABOTAGE kernel hangs/);
  machine.mark();
  expect(await settles(machine, 10 * minute)).toBe('quick');
  return machine.failure();
});

story('kexec into another slot, where a soft reboot would pass over the kernel', async (machine) => {
  await machine.powerOn();
  expect(await settles(machine)).toBe('quick');
  expect(await machine.shell(startedByGrub)).toBe('1');
  await restartBy(machine, 'revert --reboot kexec', /restarting \(kexec\)/);
  expect(await settles(machine)).toBe('otherKernel');
  expect(await machine.shell(startedByGrub)).toBe('0');
  // Of the same version, but another build.
  const softly = 'imprint update --in-place --reboot soft --dry-run --image web:quick 2>/dev/null';
  expect(await machine.shell(softly, 5 * minute)).toMatch(
    /restart +full[\s\S]*A soft reboot is not possible: the kernel, or its initial RAM disk, is another one/,
  );
  return 'GRUB was passed over';
});

story('softly into a version in place', async (machine) => {
  await machine.powerOn();
  expect(await settles(machine)).toBe('quick');
  const before = await machine.shell(bootId);
  await restartBy(machine, 'update --image web:otherSystemd --in-place --reboot soft', /restarting \(soft\): systemd/);
  expect(await settles(machine)).toBe('otherSystemd');
  expect(await machine.shell(bootId)).toBe(before);
  expect(await machine.shell('systemctl show --property=SoftRebootsCount --value')).toBe('1');
  return 'tried and committed while the kernel went on';
});
