import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { renderLayout } from '../../src/machine/layout-yaml.ts';
import { prepareMenu } from '../../src/operations/boot/make-menu.ts';
import { prepareMend } from '../../src/operations/boot/mend-boot.ts';
import { prepareRestore } from '../../src/operations/boot/restore-boot.ts';
import { saveBoot } from '../../src/operations/boot/save-boot.ts';
import { builtInLayout } from '../../src/planning/built-in-layouts.ts';
import { writeFatFiles } from '../../src/system/fat-files.ts';
import { makeGrubCore } from '../../src/system/grub.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { failed } from '../e2e/prepared.ts';
import { mebibyte, run } from '../integration/boot-disk-image.ts';
import { chooseEntry } from '../lab/choose-entry.ts';
import { windowsProgram, windowsRecord } from '../lab/foreign-system.ts';
import { Laboratory } from '../lab/laboratory.ts';
import { type Firmware, Machine, macAddress } from '../lab/machine.ts';
import { takeReleaseStore } from '../lab/release-store.ts';
import { startSiteDhcp } from '../lab/site-dhcp.ts';
import { StackMachine, type StackRow } from './stack-machine.ts';
import { record } from './table.ts';

const minute = 60_000;
const rows = [
  { number: 90, firmware: 'bios' },
  { number: 91, firmware: 'uefi' },
] as const;
let lab: Laboratory;
let dhcp: AsyncDisposable | undefined;

beforeAll(async () => {
  lab = await Laboratory.open();
  await takeReleaseStore(lab.data);
  await lab.buildImager();
  const addresses = rows.map(({ number }) => [macAddress(number), `10.9.0.${number}`] as const);
  dhcp = await startSiteDhcp(lab.network, lab.directory, Object.fromEntries(addresses));
  await lab.startPlainServer();
});
afterAll(async () => {
  await dhcp?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
});

/** The layout `multi`, and a partition that somebody else's system has. */
function layout(): string {
  const multi = builtInLayout({ layout: 'multi', slots: 3, swap: 64 * mebibyte, share: 512 * mebibyte, home: 'share' });
  const [disk] = multi.disks;
  disk?.partitions.push({ name: 'windows', role: 'data', size: 16 * mebibyte });
  return renderLayout(multi);
}

/** A start of the machine from its disk, for as long as it is held. */
async function start(machine: StackMachine, name: string): Promise<Machine> {
  const { number, firmware } = machine.row;
  const { directory, network } = lab;
  return Machine.start({
    ...{ name: machine.name, directory, network, number, firmware, fromDisk: true, memory: 1024 },
    ...{ logName: `${machine.name}-${name}`, disks: [machine.diskFile(0)] },
  });
}

const ready = /E2E-READY [^\n]*\n/;

/** Starts it, chooses what is told (nothing: what starts by itself), does something in it, and shuts it down. */
async function within<Result>(
  machine: StackMachine,
  name: string,
  title: RegExp | undefined,
  act: (shell: (command: string, timeout?: number) => Promise<string>, here: Machine) => Promise<Result>,
): Promise<Result> {
  await using here = await start(machine, name);
  if (title !== undefined) await chooseEntry(here, title);
  await here.serial.expect(ready, 8 * minute);
  const shell = async (command: string, timeout = 2 * minute) =>
    (await lab.ssh(machine.address, command, timeout)).trim();
  const result = await act(shell, here);
  await shell('systemctl --no-block poweroff');
  await lab.until(`${machine.name} is off`, 4 * minute, async () => !here.isRunning);
  return result;
}

/** Where a partition lies, in bytes. */
function partition(file: string, number: number): { offset: number; size: number } {
  const { partitiontable } = JSON.parse(run('sfdisk', ['--json', file]));
  const { start: first, size } = partitiontable.partitions[number - 1];
  return { offset: first * 512, size: size * 512 };
}

async function write(file: string, offset: number, bytes: Uint8Array): Promise<void> {
  await using handle = await open(file, 'r+');
  await handle.write(bytes, 0, bytes.length, offset);
  await handle.sync();
}

/** What stands for Windows: a real boot record, or a program of UEFI, that says a line. */
async function putWindows(file: string, firmware: Firmware): Promise<void> {
  const { offset, size } = partition(file, 9);
  await write(file, offset, Buffer.alloc(size));
  if (firmware === 'bios') return write(file, offset, windowsRecord());
  const from = join(lab.directory, 'bootmgfw.efi');
  await writeFile(from, await makeGrubCore(systemProcesses, 'x86_64-efi', windowsProgram));
  const place = { path: file, offset: partition(file, 2).offset };
  const { signal } = new AbortController();
  await writeFatFiles(systemProcesses, place, [{ path: 'EFI/Microsoft/Boot/bootmgfw.efi', from }], signal);
}

/** The menu with what is found on the disk beside Imprint's own systems; it waits long enough for somebody to choose. */
async function makeMenu(file: string, firmware: Firmware): Promise<void> {
  const device = run('losetup', ['--find', '--show', file]).trim();
  try {
    run('partx', ['--add', device]);
    const context = { processes: systemProcesses, clock: systemClock, mountAt: join(lab.directory, 'boot') };
    const menu = await prepareMenu(context, { disk: device, timeout: 30 }, Task.silent());
    expect(menu.output.systems.map(({ id }) => id)).toEqual([firmware === 'bios' ? 'record-9' : 'windows-2']);
    await menu.write(Task.silent());
  } finally {
    // Somebody who made a mount namespace while its boot partition was mounted holds it until it ends.
    for (let second = 0; second < 60; second += 1) {
      const { status } = await systemProcesses.run('partx', ['--delete', device], { accept: [0, 1] });
      if (status === 0) break;
      await systemClock.sleep(1000);
    }
    run('losetup', ['--detach', device]);
  }
}

/** What whoever takes the wrong disk does: table, core and ESP are gone. */
async function destroy(file: string): Promise<void> {
  await write(file, 0, Buffer.alloc(4 * mebibyte));
}

const identity = 'hostname; cat /etc/machine-id; md5sum < /etc/ssh/ssh_host_ed25519_key.pub';
const release = '. /etc/os-release; echo $VERSION_CODENAME';
const slots = "imprint slots | awk 'NR > 1 && NF { print }'";

for (const { number, firmware } of rows) {
  it(
    `three systems of one disk, each from the menu, one filled while another works, on ${firmware}`,
    async () => {
      const began = performance.now();
      const told = { row: 'several systems', name: firmware, seconds: () => (performance.now() - began) / 1000 };
      try {
        record({ ...told, outcome: await story(number, firmware) });
      } catch (error) {
        record({ ...told, outcome: `FAILED: ${String(error).split('\n', 1)[0]?.slice(0, 200)}` });
        await failed(lab, error);
        throw error;
      }
    },
    45 * minute,
  );
}

async function story(number: number, firmware: Firmware): Promise<string> {
  const row: StackRow = {
    ...{ title: `several systems, ${firmware}`, number, firmware, image: 'bookworm:1', disks: [{ size: '9G' }] },
    ...{ layout: layout(), story: async () => '' },
  };
  await using machine = await StackMachine.prepare(lab, row);
  await machine.install();
  const disk = machine.diskFile(0);
  await putWindows(disk, firmware);
  await makeMenu(disk, firmware);
  const windows = firmware === 'bios' ? /partition 9/ : /Windows/;

  const first = await within(machine, 'first', undefined, async (shell) => {
    expect(await shell(release)).toBe('bookworm');
    for (const place of ['/tmp', '/var/tmp', '/home']) {
      expect(await shell(`findmnt -no FSROOT ${place}`)).toBe(place);
    }
    expect(await shell('stat -c %a /tmp /var/tmp')).toBe('1777\n1777');
    await shell('mkdir -p /home/anna && echo hers > /home/anna/notes && echo old > /var/tmp/kept');
    // It serves all the while, as whatever the machine is there for.
    let [filled, lost, served] = [false, 0, 0];
    const asking = (async () => {
      for (; !filled; await systemClock.sleep(1000)) {
        if ((await lab.fetch(`http://${machine.address}/`)) === undefined) lost += 1;
        else served += 1;
      }
    })();
    await shell('imprint slot fill trixie', 15 * minute).finally(() => {
      filled = true;
    });
    await asking;
    expect(lost).toBe(0);
    expect(served).toBeGreaterThan(5);
    expect(await shell(slots)).toMatch(
      /a +bookworm +bookworm:1 +running, default, good.*b +trixie +trixie:1 +good.*c +empty/s,
    );
    return shell(identity);
  });

  await within(machine, 'trixie', /trixie:1/, async (shell) => {
    expect(await shell(release)).toBe('trixie');
    expect(await shell(identity)).toBe(first);
    expect(await shell('cat /home/anna/notes /var/tmp/kept; systemctl --failed --no-legend --plain')).toBe('hers\nold');
    expect(await shell(slots)).toMatch(/a +bookworm +bookworm:1 +default, good.*b +trixie +trixie:1 +running, good/s);
  });
  const says = async (name: string) => {
    await using here = await start(machine, name);
    await chooseEntry(here, windows);
    await here.serial.expect(/WINDOWS-BY-/, 90_000);
  };
  await says('windows');

  // A copy lies elsewhere; the disk is in another machine meanwhile.
  const context = { processes: systemProcesses, clock: systemClock };
  const [file, undo] = ['copy', 'undo'].map((name) => join(lab.directory, `${machine.name}.${name}`)) as [
    string,
    string,
  ];
  await saveBoot(context, { file, disk, force: false }, Task.silent());
  await destroy(disk);
  {
    await using prepared = await prepareRestore(context, { file, disk, undo, force: true }, Task.silent());
    await prepared.apply(Task.silent());
  }
  await says('windows-restored');
  // An update of what starts by itself goes into what is spare, and leaves the other one alone.
  await within(machine, 'restored', undefined, async (shell, { serial }) => {
    expect(await shell(release)).toBe('bookworm');
    const from = serial.mark();
    await shell('systemd-run --collect imprint update --image bookworm:2 --reboot full --yes');
    await serial.expect(ready, 15 * minute, from);
    await lab.until('the update is proven', 6 * minute, async () =>
      /c +bookworm +bookworm:2 +running, default, good/.test(await shell(slots).catch(() => '')),
    );
    expect(await shell('cat /etc/imprint-version')).toBe('v2');
    expect(await shell(slots)).toMatch(/b +trixie +trixie:1 +good/);
    expect(await shell('imprint boot next trixie')).toMatch(/trixie:1 .* starts next/);
  });

  // Without a copy: what Imprint started, at least.
  await destroy(disk);
  const mend = await prepareMend(context, { disk, all: false, undo: `${undo}.2` }, Task.silent());
  await mend.apply(Task.silent());
  await within(machine, 'mended', undefined, async (shell) => {
    expect(await shell(release)).toBe('trixie');
    await lab.until('the single try is over', 6 * minute, async () =>
      /c +bookworm +bookworm:2 +default, good/.test(await shell(slots).catch(() => '')),
    );
  });
  await within(machine, 'default', undefined, async (shell) => expect(await shell(release)).toBe('bookworm'));
  return 'bookworm, trixie filled while bookworm worked, and what stands for Windows: each from the menu; restored, updated and mended';
}
