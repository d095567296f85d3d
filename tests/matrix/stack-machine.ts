import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemProcesses } from '../../src/system/run.ts';
import { mediaKernelOptions } from '../e2e/media-story.ts';
import type { Laboratory } from '../lab/laboratory.ts';
import { type Firmware, Machine, type MachineDisk, macAddress } from '../lab/machine.ts';

const minute = 60_000;

/** A disk that is empty when the machine is new. */
export interface StackDisk extends Pick<MachineDisk, 'bus' | 'sectorSize'> {
  /** As `truncate` takes it: `4G`. */
  readonly size: string;
}

/** A machine with a layout of its own. */
export interface StackRow {
  readonly title: string;
  /** Last byte of its addresses. */
  readonly number: number;
  readonly firmware: Firmware;
  /** What is installed: the usual golden machine, or the one that has the tools of arrays and the like. */
  readonly image: string;
  readonly disks: readonly StackDisk[];
  readonly layout: string;
  /** Of its encrypted devices: typed at its console, whenever that asks for it. */
  readonly passphrase?: string;
  /** What is done with it and seen in it, from its empty disks on. Returns what is worth being told. */
  story(machine: StackMachine): Promise<string>;
}

/**
 * The machine of a row. It is installed by the imager, which QEMU starts straight away, by an order of the server; and then starts from its own disks, with nothing else to
 * start from. When it goes out of scope its power is cut.
 */
export class StackMachine implements AsyncDisposable {
  readonly row: StackRow;
  readonly name: string;
  readonly #lab: Laboratory;
  #machine: Machine | undefined;
  #starts = 0;

  private constructor(lab: Laboratory, row: StackRow) {
    this.#lab = lab;
    this.row = row;
    this.name = `stack-${row.number}`;
  }

  /** Puts its empty disks in, and makes it known to the server. */
  static async prepare(lab: Laboratory, row: StackRow): Promise<StackMachine> {
    const machine = new StackMachine(lab, row);
    for (const [index, { size }] of row.disks.entries())
      await systemProcesses.run('truncate', ['--size', size, machine.diskFile(index)], { timeout: minute });
    const where = ['--mac', macAddress(row.number), '--address', machine.address];
    await lab.imprintJson(['machine', 'add', machine.name, '--image', row.image, ...where]);
    return machine;
  }

  get address(): string {
    return `10.9.0.${this.row.number}`;
  }

  get serial() {
    if (this.#machine === undefined) throw new Error(`${this.name} is off`);
    return this.#machine.serial;
  }

  diskFile(index: number): string {
    return join(this.#lab.directory, `${this.name}-${index}.raw`);
  }

  /** Orders an install by the row's layout, or by another one, and has the imager carry it out. It is off when this resolves. */
  async install(layout: string = this.row.layout): Promise<void> {
    const file = join(this.#lab.directory, `${this.name}.yaml`);
    await writeFile(file, layout);
    const how = ['--layout', file, '--kernel-options', mediaKernelOptions, '--afterwards', 'poweroff', '--yes'];
    await this.#lab.imprintJson(['install', this.name, ...how]);
    const { data, network } = this.#lab;
    const words = `imprint.server=http://${network.address}:4280 BOOTIF=01-${macAddress(this.row.number).replaceAll(':', '-')}`;
    const kernel = {
      kernel: join(data, 'netboot/vmlinuz'),
      initrd: join(data, 'netboot/initrd.img'),
      commandLine: `${words} loglevel=4 console=ttyS0,115200 mitigations=off no_timer_check nokaslr`,
    };
    const machine = await this.#start({ kernel });
    if (this.row.passphrase !== undefined) {
      await machine.serial.expect(/Type their passphrase and Enter/, 8 * minute);
      machine.serial.type(this.row.passphrase);
      await machine.serial.expect(/Once more, please/, 2 * minute);
      machine.serial.type(this.row.passphrase);
    }
    // A refusal stays on the console: nobody has to wait for the rest of the time.
    const ended = await machine.serial.expect(
      /is installed: powering off|THIS INSTALL WAS REFUSED|FAILED/,
      12 * minute,
    );
    if (!ended.includes('powering off')) {
      // It says why next.
      await new Promise((resolve) => setTimeout(resolve, 5000));
      throw new Error(`the install did not end well\n${machine.serial.tail(60)}`);
    }
    await this.untilOff();
  }

  /** Has it start from its own disks, all of them or these; it is up when this resolves. */
  async powerOn({ disks }: { disks?: readonly number[] } = {}): Promise<void> {
    const { serial } = await this.#start({ ...(disks && { disks }) });
    if (this.row.passphrase !== undefined) {
      await serial.expect(/Please unlock disk [^\n:]*:/, 6 * minute);
      serial.type(this.row.passphrase);
    }
    await serial.expect(/E2E-READY [^\n]*\n/, 8 * minute);
  }

  /** Shuts it down, and waits until it is off. */
  async shutDown(): Promise<void> {
    await this.shell('systemctl --no-block poweroff');
    await this.untilOff();
  }

  async untilOff(): Promise<void> {
    const machine = this.#machine;
    if (machine === undefined) return;
    await this.#lab.until(`${this.name} is off`, 4 * minute, async () => !machine.isRunning);
    this.#machine = undefined;
  }

  /** Runs a shell command as root on it. */
  async shell(command: string, timeout = 2 * minute): Promise<string> {
    return (await this.#lab.ssh(this.address, command, timeout)).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#machine?.cutPower();
    this.#machine = undefined;
  }

  async #start(more: {
    kernel?: { kernel: string; initrd: string; commandLine: string };
    disks?: readonly number[];
  }): Promise<Machine> {
    const { row, name } = this;
    const { directory, network } = this.#lab;
    this.#starts += 1;
    const present = more.disks ?? row.disks.keys().toArray();
    const machine = await Machine.start({
      ...{ name, directory, network, number: row.number, firmware: row.firmware, memory: 1024, fromDisk: true },
      ...(more.kernel && { kernel: more.kernel }),
      logName: `${name}-${this.#starts}`,
      disks: present.map((index) => {
        const { size: _, ...disk } = row.disks[index] ?? { size: '' };
        return { ...disk, file: this.diskFile(index), serial: `${name}-${index}` };
      }),
    });
    this.#machine = machine;
    return machine;
  }
}
