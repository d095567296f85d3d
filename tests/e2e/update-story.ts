import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { InstallOptions, MachineState } from '../../src/contract/machine.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { installDisk } from '../lab/installed-disk.ts';
import { Laboratory } from '../lab/laboratory.ts';
import { type Firmware, Machine, macAddress } from '../lab/machine.ts';
import { type OffLook, type OffStep, whileOff } from '../lab/machine-off.ts';
import { type SabotageName, sabotages } from '../lab/sabotage.ts';
import { startSiteDhcp } from '../lab/site-dhcp.ts';
import { takeUpdateStore } from '../lab/update-store.ts';
import { failed } from './prepared.ts';

const minute = 60_000;
/** For a boot on a busy computer without KVM. */
const bootPatience = 5 * minute;
/** Until a trial has used up all its time, with what gives it up then, and the machine starts anew. */
const trialPatience = 12 * minute;

/** A machine that is installed and updated. */
export interface UpdateRow {
  readonly number: number;
  readonly firmware: Firmware;
  readonly options: InstallOptions;
  /** It has a hardware watchdog. */
  readonly watchdog?: boolean;
}

/** How long a trial may take. */
interface TrialTimes {
  /** Until it is given up: for a start on a busy computer. */
  readonly timeout: string;
  /** How long a check may fail: for the first answer of the server, which the agent has to ask first. */
  readonly patience: string;
}

const usually: TrialTimes = { timeout: '240s', patience: '40s' };
/** What nobody has to wait for where it is sure to go wrong. */
const shorter: { readonly [Name in SabotageName]?: TrialTimes } = {
  serviceFails: { timeout: '240s', patience: '3s' },
  startHangs: { timeout: '90s', patience: '3s' },
};

/** A step that writes the agent's settings: one try is enough to see what happens. */
function settingsStep({ timeout, patience }: TrialTimes): OffStep {
  const settings = `server: "http://10.9.0.1:4280"\ntries: 1\nhealth:\n  timeout: ${timeout}\n  patience: ${patience}\n`;
  return { act: 'shell', script: `cat > "$ROOT/etc/imprint/agent.yaml" <<'END'\n${settings}END\n` };
}

/** What the agent that runs has said. A soft reboot is no other boot for the journal: what another agent said before it does not count. */
const agentSays =
  'journalctl _SYSTEMD_INVOCATION_ID="$(systemctl show -P InvocationID imprint-agent.service)" -o cat --no-pager';

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

  /** Installs a machine that has `web:1`, and knows it at the server. It is off. */
  async install(row: UpdateRow): Promise<UpdatedMachine> {
    const { lab } = this;
    const { number, options } = row;
    const machine = new UpdatedMachine(lab, row);
    const { name, disk } = machine;
    const install = { ...options, kernelOptions: 'console=ttyS0,115200 mitigations=off no_timer_check nokaslr' };
    await installDisk({
      ...{ file: disk, size: '4G', name, image: 'web:good1', options: install, data: lab.data },
      server: 'http://10.9.0.1:4280',
    });
    await machine.whileOff([{ act: 'boot' }, settingsStep(usually)]);
    const where = ['--mac', macAddress(number), '--address', `10.9.0.${number}`];
    await lab.imprintJson(['machine', 'add', name, '--image', 'web:good1', ...where]);
    return machine;
  }

  /** Installs and starts a machine; it runs `web:1` when this resolves. */
  async start(row: UpdateRow): Promise<UpdatedMachine> {
    const machine = await this.install(row);
    await machine.powerOn();
    await machine.isUp();
    return machine;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dhcp[Symbol.asyncDispose]();
    await this.lab[Symbol.asyncDispose]();
  }
}

/** One of its machines. When it goes out of scope its power is cut, and its disk thrown away. */
export class UpdatedMachine implements AsyncDisposable {
  readonly name: string;
  /** Its disk, raw. */
  readonly disk: string;
  readonly #lab: Laboratory;
  readonly #row: UpdateRow;
  #machine: Machine | undefined;
  #boots = 0;
  #mark = 0;

  /** A machine of this row, whose disk is the laboratory's `FILE.raw`. */
  constructor(lab: Laboratory, row: UpdateRow, file?: string) {
    const { firmware, options } = row;
    this.#lab = lab;
    this.name = `${options.layout}-${options.fileSystem}-${firmware}`;
    this.disk = join(lab.directory, `${file ?? this.name}.raw`);
    this.#row = row;
  }

  /** The same machine with a copy of its disk; at most one of the two may be on. */
  async copy(file: string): Promise<UpdatedMachine> {
    const machine = new UpdatedMachine(this.#lab, this.#row, file);
    const words = ['--sparse=always', '--reflink=auto', this.disk, machine.disk];
    await systemProcesses.run('cp', words, { timeout: 2 * minute });
    return machine;
  }

  get serial() {
    if (this.#machine === undefined) throw new Error(`${this.name} is off`);
    return this.#machine.serial;
  }

  async powerOn(): Promise<void> {
    const { directory, network } = this.#lab;
    const { number, firmware, watchdog = false } = this.#row;
    this.#boots += 1;
    this.#mark = 0;
    this.#machine = await Machine.start({
      ...{ name: this.name, directory, network, number, firmware, disks: [this.disk] },
      ...{ fromDisk: true, freshBoots: true, watchdog, logName: `${basename(this.disk, '.raw')}-${this.#boots}` },
    });
  }

  async cutPower(): Promise<void> {
    await this.#machine?.cutPower();
    this.#machine = undefined;
  }

  /** Switches it off, where it is on, after what it has written is on its disk, and takes these steps with that. */
  async whileOff(steps: readonly OffStep[]): Promise<OffLook> {
    if (this.#machine !== undefined) {
      await this.shell('sync');
      await this.cutPower();
    }
    return whileOff(this.disk, this.#lab.data, steps);
  }

  /** From here on, what the console says is of the next boot. */
  mark(): void {
    this.#mark = this.serial.mark();
  }

  /** Waits until it is up once more since the last `mark`. */
  async isUp(patience = bootPatience): Promise<void> {
    await this.serial.expect(new RegExp(`E2E-READY ${this.name} [^\\n]*\\n`), patience, this.#mark);
  }

  async says(marker: RegExp, patience = bootPatience): Promise<void> {
    await this.serial.expect(marker, patience, this.#mark);
  }

  /** What a shell on it says. */
  async shell(command: string, timeout = minute): Promise<string> {
    return (await this.#lab.ssh(`10.9.0.${this.#row.number}`, command, timeout)).trim();
  }

  /** What it says that it runs: `web:2`, and the entry with which it was booted. */
  async runs(): Promise<string> {
    const { number } = JSON.parse(await this.shell('cat /var/lib/imprint/version.json')) as { number: number };
    return `web:${number}`;
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

  /** The same, but written to its disk while it is off, which takes seconds; then it is on again. `before`: steps to be taken first. */
  async updateOff(version: string, before: readonly OffStep[] = []): Promise<void> {
    await this.whileOff([{ act: 'boot' }, ...before, { act: 'update', version }]);
    await this.powerOn();
  }

  async reboot(): Promise<void> {
    this.mark();
    await this.shell('systemctl --no-block reboot');
  }

  /** Waits until its agent says that this is the situation of its pointer. It is heard, not asked: each start of ours takes an emulated machine seconds. */
  async settles(kind: string, timeout = 6 * minute): Promise<void> {
    const said = `${agentSays} | grep -qF ' runs (${kind})'`;
    const asked = `for i in $(seq 30); do if ${said}; then echo heard; exit; fi; sleep 1; done`;
    await this.#lab.until(`${this.name} is ${kind}`, timeout, () => this.shell(asked).catch(() => ''));
  }

  /** Why the version that was tried last was given up, as the agent told when it had settled; empty where none was. */
  failure(): Promise<string> {
    return this.shell(`${agentSays} | sed -n 's/.* was given up: //p' | tail -n 1`);
  }

  /** Waits until the server shows it in this state, as its agent reports it. Returns the problem that is shown with it. */
  async reports(state: MachineState, patience = 3 * minute): Promise<string> {
    const mac = macAddress(this.#row.number);
    const shown = await this.#lab.untilMachine(mac, `is ${state}`, patience, (machine) => machine.state === state);
    return shown.problem?.message ?? '';
  }

  /** Updates it, while it is off, to a version that is bad in this way, and waits until the one before runs again. Returns the reason that it noted. */
  async survives(name: SabotageName): Promise<string> {
    await this.isGivenUp(name);
    this.mark();
    await this.isUp();
    // What a panic was, the agent of the good version writes down.
    await this.settles('settled');
    return this.failure();
  }

  /** The same until GRUB passes over the bad version and starts the kernel of the good one. */
  async isGivenUp(name: SabotageName): Promise<void> {
    const sabotage = sabotages[name];
    await this.updateOff(name, [settingsStep(shorter[name] ?? usually)]);
    if ('shows' in sabotage) await this.says(sabotage.shows);
    if ('needsReset' in sabotage && sabotage.needsReset) {
      await this.cutPower();
      await this.powerOn();
    }
    // The bad version may well come up before it is found to be bad: what counts is that GRUB has passed it over.
    await this.says(/imprint\.kind=good/, trialPatience);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cutPower();
    await rm(this.disk, { force: true });
  }
}
