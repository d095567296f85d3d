import { join } from 'node:path';
import type { InstallOptions } from '../../src/contract/machine.ts';
import { overlayDisk } from '../lab/disk.ts';
import { installDisk } from '../lab/installed-disk.ts';
import { Laboratory } from '../lab/laboratory.ts';
import { type Firmware, Machine, macAddress } from '../lab/machine.ts';
import { type SabotageName, sabotages } from '../lab/sabotage.ts';
import { startSiteDhcp } from '../lab/site-dhcp.ts';
import { takeUpdateStore } from '../lab/update-store.ts';
import { failed } from './prepared.ts';

const minute = 60_000;
/** For a boot on a busy computer without KVM. */
const bootPatience = 5 * minute;

/** A machine that is installed and updated. */
export interface UpdateRow {
  readonly number: number;
  readonly firmware: Firmware;
  readonly options: InstallOptions;
}

/** How long a trial may take here, and that one try is enough to see what happens. */
const agentSettings = `server: "http://10.9.0.1:4280"
tries: 1
health:
  timeout: 150s
  patience: 10s
`;

/**
 * A laboratory with the versions of `update-store.ts`, a server that gives them out, and installed machines that run `web:1` and have an address.
 */
export class UpdateLaboratory implements AsyncDisposable {
  readonly lab: Laboratory;
  readonly #dhcp: AsyncDisposable;

  private constructor(lab: Laboratory, dhcp: AsyncDisposable) {
    this.lab = lab;
    this.#dhcp = dhcp;
  }

  static async open(rows: readonly UpdateRow[]): Promise<UpdateLaboratory> {
    const lab = await Laboratory.open();
    try {
      await takeUpdateStore(lab.data);
      const addresses = rows.map(({ number }) => [macAddress(number), `10.9.0.${number}`] as const);
      const dhcp = await startSiteDhcp(lab.network, lab.directory, Object.fromEntries(addresses));
      await lab.startPlainServer();
      return new UpdateLaboratory(lab, dhcp);
    } catch (error) {
      await failed(lab, error);
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Installs and starts a machine; it runs `web:1` when this resolves. */
  async start(row: UpdateRow): Promise<UpdatedMachine> {
    const { lab } = this;
    const { number, firmware, options } = row;
    const name = `${options.layout}-${options.fileSystem}-${firmware}`;
    const raw = join(lab.directory, `${name}.raw`);
    const install = { ...options, kernelOptions: 'console=ttyS0,115200 mitigations=off no_timer_check nokaslr' };
    await installDisk({
      ...{ file: raw, size: '4G', name, image: 'web:good1', options: install, data: lab.data },
      server: 'http://10.9.0.1:4280',
    });
    await overlayDisk(lab.diskOf(name), raw);
    const mac = macAddress(number);
    await lab.imprintJson([
      'machine',
      'add',
      name,
      '--mac',
      mac,
      '--image',
      'web:good1',
      '--address',
      `10.9.0.${number}`,
    ]);
    const machine = new UpdatedMachine(lab, name, row);
    await machine.powerOn();
    await machine.isUp();
    await machine.shell(`cat > /etc/imprint/agent.yaml <<'END'\n${agentSettings}END\nsystemctl restart imprint-agent`);
    return machine;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dhcp[Symbol.asyncDispose]();
    await this.lab[Symbol.asyncDispose]();
  }
}

/** One of its machines. Its power is cut when it goes out of scope. */
export class UpdatedMachine implements AsyncDisposable {
  readonly name: string;
  readonly #lab: Laboratory;
  readonly #row: UpdateRow;
  #machine: Machine | undefined;
  #boots = 0;
  #mark = 0;

  constructor(lab: Laboratory, name: string, row: UpdateRow) {
    this.#lab = lab;
    this.name = name;
    this.#row = row;
  }

  get serial() {
    if (this.#machine === undefined) throw new Error(`${this.name} is off`);
    return this.#machine.serial;
  }

  async powerOn(): Promise<void> {
    const { directory, network } = this.#lab;
    const { number, firmware } = this.#row;
    this.#boots += 1;
    this.#mark = 0;
    this.#machine = await Machine.start({
      ...{ name: this.name, directory, network, number, firmware, disks: [this.#lab.diskOf(this.name)] },
      ...{ fromDisk: true, freshBoots: true, logName: `${this.name}-${this.#boots}` },
    });
  }

  async cutPower(): Promise<void> {
    await this.#machine?.cutPower();
    this.#machine = undefined;
  }

  /** From here on, what the console says is of the next boot. */
  mark(): void {
    this.#mark = this.serial.mark();
  }

  /** Waits until it is up once more since the last `mark`. */
  async isUp(): Promise<void> {
    await this.serial.expect(new RegExp(`E2E-READY ${this.name} [^\\n]*\\n`), bootPatience, this.#mark);
  }

  async says(marker: RegExp): Promise<void> {
    await this.serial.expect(marker, bootPatience, this.#mark);
  }

  /** What a shell on it says. */
  async shell(command: string, timeout = minute): Promise<string> {
    return (await this.#lab.ssh(`10.9.0.${this.#row.number}`, command, timeout)).trim();
  }

  /** What it says that it runs: `web:2`, and the entry with which it was booted. */
  async runs(): Promise<string> {
    const text = await this.shell(
      'sed -n "s/.*\\"number\\": *\\([0-9]*\\).*/\\1/p" /var/lib/imprint/version.json | head -n 1',
    );
    return `web:${text}`;
  }

  /** `imprint …` on it, with `--json`. */
  async imprint<Result>(command: string, timeout = 10 * minute): Promise<Result> {
    const text = await this.shell(
      `imprint ${command} --json 2>/run/imprint.log || { tail -n 5 /run/imprint.log; false; }`,
      timeout,
    );
    return JSON.parse(text) as Result;
  }

  /** Brings it to a version and waits until that is up; `words`: more options. */
  async update(version: string, words = ''): Promise<void> {
    this.mark();
    await this.imprint(`update --image web:${version} --reboot none ${words}`);
    await this.reboot();
  }

  async reboot(): Promise<void> {
    this.mark();
    await this.shell('systemctl --no-block reboot');
  }

  /** The situation of its pointer, once the agent has come to it. */
  async settles(kind: string, timeout = 4 * minute): Promise<void> {
    await this.#lab.until(`${this.name} is ${kind}`, timeout, async () => {
      const slots = await this.imprint<{ situation?: string }>('slots').catch(() => undefined);
      return slots?.situation === kind;
    });
  }

  /** Updates it to a version that is bad in this way, and waits until the one before runs again. Returns the reason that it noted. */
  async survives(name: SabotageName): Promise<string> {
    const sabotage = sabotages[name];
    await this.update(name);
    if ('shows' in sabotage) await this.says(sabotage.shows);
    if ('needsReset' in sabotage && sabotage.needsReset) {
      await this.cutPower();
      await this.powerOn();
    } else this.mark();
    await this.isUp();
    // What a panic was, the agent of the good version writes down.
    await this.settles('settled');
    const slots = await this.imprint<{ failure?: { reason: string } }>('slots');
    return slots.failure?.reason ?? '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cutPower();
  }
}
