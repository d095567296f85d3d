import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Machine as MachineRecord } from '../../src/contract/machine.ts';
import { commandLine, type ProcessResult, type RunningProcess, systemProcesses } from '../../src/system/run.ts';
import { cacheDirectory } from './cache.ts';
import { atExit, runSync } from './cleanup.ts';
import { makeDisk, overlayDisk } from './disk.ts';
import { type Golden, goldenMachine } from './golden.ts';
import { type Firmware, Machine, macAddress } from './machine.ts';
import { LabNetwork } from './network.ts';
import { startSiteDhcp } from './site-dhcp.ts';

const second = 1000;
const minute = 60 * second;
const checkout = join(import.meta.dirname, '../..');

export const goldenAddress = '10.9.0.2';
const goldenNumber = 2;

/** One end of a command that ran: its two outputs and status, whatever that was. */
export type Ran = ProcessResult;

export interface BareOptions {
  readonly name: string;
  /** Last byte of its MAC address; 16 and up. */
  readonly number: number;
  readonly firmware?: Firmware;
  readonly memory?: number;
  /** As in `MachineOptions`. */
  readonly httpBoot?: boolean;
  /** As in `MachineOptions`. */
  readonly freshBoots?: boolean;
  /** Sizes of its empty disks. Default: one of 4G. Disks that exist from an earlier start are kept as they are. */
  readonly disks?: readonly string[];
}

/**
 * A private network with what the main story needs: a golden machine, a server, bare machines; and Imprint's command line
 * running in it. All of it goes with it. On a failure keep the directory (`keep`), which has every console's log.
 */
export class Laboratory implements AsyncDisposable {
  readonly directory: string;
  readonly network: LabNetwork;
  readonly golden: Golden;
  readonly data: string;
  /** Called for each line of a command that shows its progress; set by the demo. */
  onOutput: ((line: string) => void) | undefined;
  #server: RunningProcess | undefined;
  readonly #running: AsyncDisposable[] = [];
  readonly #forget: () => void;

  private constructor(directory: string, network: LabNetwork, golden: Golden) {
    this.directory = directory;
    this.network = network;
    this.golden = golden;
    this.data = join(directory, 'data');
    this.#forget = atExit(() => {
      runSync('rm', '-rf', directory);
    });
  }

  /** Opens a laboratory. `name` fixes the name of its network and directory, for one that is to be left running. */
  static async open(name?: string): Promise<Laboratory> {
    const golden = await goldenMachine();
    const directory = await mkdtemp(join(tmpdir(), 'imprint-lab-'));
    await mkdir(join(directory, 'data'));
    return new Laboratory(directory, await LabNetwork.make(name), golden);
  }

  /** Powers the golden machine on, with `empty` more disks of these sizes, and waits until it is up. */
  async startGolden(empty: readonly string[] = []): Promise<Machine> {
    const { directory, network, golden } = this;
    this.#running.push(await startSiteDhcp(network, directory, { [macAddress(goldenNumber)]: goldenAddress }));
    const disk = join(directory, 'golden.qcow2');
    await overlayDisk(disk, golden.disk);
    const disks = [disk];
    for (const [index, size] of empty.entries()) {
      disks.push(join(directory, `golden-${index + 1}.qcow2`));
      await makeDisk(disks.at(-1) ?? '', size);
    }
    const machine = await Machine.start({
      ...{ name: 'golden', directory, network, number: goldenNumber, disks, kernel: golden },
      memory: 512,
    });
    this.#running.push(machine);
    await machine.serial.expect(/E2E-READY [^\n]*\n/, 4 * minute);
    return machine;
  }

  /** Stops the DHCP server that the golden machine's network had; the machine keeps its address. */
  async stopSiteDhcp(): Promise<void> {
    await this.#running.shift()?.[Symbol.asyncDispose]();
  }

  /** Powers a machine with empty disks on; it boots from the network. A second start finds the disks as they were left. */
  async startBare(options: BareOptions): Promise<Machine> {
    const { directory, network } = this;
    const disks = (options.disks ?? ['4G']).map((size, index) => ({ size, path: this.diskOf(options.name, index) }));
    for (const { path, size } of disks) {
      if (!runSync('test', '-e', path).ok) await makeDisk(path, size);
    }
    const machine = await Machine.start({ ...options, directory, network, disks: disks.map(({ path }) => path) });
    this.#running.push(machine);
    return machine;
  }

  /** File of a bare machine's disk. */
  diskOf(name: string, index = 0): string {
    return join(this.directory, `${name}-${index}.qcow2`);
  }

  /** Runs `imprint …` in the network, to its end; any exit status is a result. `onOutput` sees stderr (progress) as it comes. */
  async imprint(args: readonly string[], timeout = 10 * minute): Promise<Ran> {
    const running = this.network.start(join(checkout, 'imprint'), args, { env: this.environment() });
    const stdout: string[] = [];
    const stderr: string[] = [];
    running.stdout.on('data', (piece) => stdout.push(this.#tell(piece)));
    running.stderr.on('data', (piece) => stderr.push(this.#tell(piece)));
    running.stdin.end();
    const timer = setTimeout(() => void running.stop(), timeout);
    const status = await running.ended.then(
      () => 0,
      (error: unknown) => statusOf(error),
    );
    clearTimeout(timer);
    return { status, stdout: stdout.join(''), stderr: stderr.join('') };
  }

  /** The same for a command that must succeed, with `--json`; its result. */
  async imprintJson<Result>(args: readonly string[], timeout?: number): Promise<Result> {
    const ran = await this.imprint([...args, '--json'], timeout);
    if (ran.status !== 0) throw new Error(`${commandLine('imprint', args)} ended with ${ran.status}:\n${ran.stderr}`);
    return JSON.parse(ran.stdout) as Result;
  }

  /** `IMPRINT_DATA`, for commands of this laboratory. */
  environment(): Record<string, string> {
    return { IMPRINT_DATA: this.data };
  }

  /** Options that let `imprint capture` into the golden machine. */
  captureOptions(): string[] {
    return [
      ...['-i', this.golden.sshKey],
      ...['-o', 'StrictHostKeyChecking=accept-new', '-o', `UserKnownHostsFile=${join(this.directory, 'known_hosts')}`],
    ];
  }

  /** Builds the imager for this laboratory's key (outside of the network: packages may have to be fetched). */
  async buildImager(more: readonly string[] = []): Promise<void> {
    await this.make(['media', 'netboot', ...more]);
  }

  /** The same for what else has an imager in it. */
  async make(words: readonly string[]): Promise<void> {
    await systemProcesses.run(join(checkout, 'imprint'), words, {
      env: { ...this.environment(), IMPRINT_CACHE: cacheDirectory() },
      timeout: 15 * minute,
    });
  }

  /** The words of `imprint serve` with netboot in this network. */
  serveWords(): string[] {
    return ['serve', '--netboot', this.network.bridge, '--listen', `${this.network.address}:4280`];
  }

  /** Starts `imprint serve` with netboot and `more` options, and waits until it answers. */
  async startServer(more: readonly string[] = []): Promise<void> {
    await this.#serve([...this.serveWords(), ...more], 'Machines boot from');
  }

  /** The same without netboot: for machines that are installed. */
  async startPlainServer(more: readonly string[] = []): Promise<void> {
    await this.#serve(['serve', '--listen', `${this.network.address}:4280`, ...more], ':4280');
  }

  async #serve(args: readonly string[], ready: string): Promise<void> {
    const running = this.network.start(join(checkout, 'imprint'), args, { env: this.environment() });
    let said = '';
    running.stdout.on('data', (piece) => {
      said += this.#tell(piece);
    });
    // Its log is for a failure; what it wants to tell people stands on stdout.
    running.stderr.pipe(createWriteStream(join(this.directory, 'server.log'), { flags: 'a' }));
    this.#server = running;
    const failed = running.ended.then(
      () => Promise.reject(new Error('imprint serve ended at once')),
      (error: unknown) => Promise.reject(error),
    );
    await Promise.race([failed, this.until('the server is ready', minute, async () => said.includes(ready))]);
    failed.catch(() => {});
  }

  /** Stops the server: asks it to end, or (`SIGKILL`) does not ask. */
  async stopServer(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const running = this.#server;
    this.#server = undefined;
    if (!running) return;
    try {
      process.kill(running.pid, signal);
    } catch {
      // It ended by itself before.
    }
    await running.ended.catch(() => {});
  }

  /** All machines that the server knows; undefined while it does not answer. */
  async machines(): Promise<MachineRecord[] | undefined> {
    const options = { env: this.environment(), timeout: 30 * second };
    const ran = await this.network
      .run(join(checkout, 'imprint'), ['machines', '--json'], options)
      .catch(() => undefined);
    return ran && (JSON.parse(ran.stdout) as { machines: MachineRecord[] }).machines;
  }

  /** Waits until the machine with this MAC address is known and `condition` holds for it. */
  async untilMachine(
    mac: string,
    what: string,
    timeout: number,
    condition: (machine: MachineRecord) => boolean,
  ): Promise<MachineRecord> {
    return this.until(`${mac} ${what}`, timeout, async () =>
      (await this.machines())?.find((machine) => machine.macs.some((each) => each === mac) && condition(machine)),
    );
  }

  /** Asks every two seconds until there is an answer. */
  async until<Answer>(what: string, timeout: number, ask: () => Promise<Answer | undefined | false>): Promise<Answer> {
    const end = Date.now() + timeout;
    for (;;) {
      const answer = await ask();
      if (answer) return answer;
      if (Date.now() > end) throw new Error(`Not within ${Math.round(timeout / second)} s: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 2 * second));
    }
  }

  /** Body of a page in the network; undefined where nobody answers. */
  async fetch(url: string): Promise<string | undefined> {
    const script =
      'const r = await fetch(process.argv[1]); process.stdout.write(await r.text()); process.exitCode = r.ok ? 0 : 1';
    const ran = await this.network
      .run(process.execPath, ['--input-type=module', '-e', script, url], { timeout: 20 * second })
      .catch(() => undefined);
    return ran?.stdout;
  }

  /** Runs a shell command as root on a machine of the network that has the laboratory's key. */
  async ssh(address: string, command: string, timeout = minute): Promise<string> {
    const options = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR'];
    const words = [...options, '-o', 'ConnectTimeout=20', '-i', this.golden.sshKey, `root@${address}`, command];
    return (await this.network.run('ssh', words, { timeout })).stdout;
  }

  /** Public host keys of a machine, sorted, without its address. */
  async hostKeys(address: string): Promise<string[]> {
    const { stdout } = await this.network.run('ssh-keyscan', ['-T', '30', address], { timeout: minute });
    const lines = stdout.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return lines.map((line) => line.split(' ').slice(1).join(' ')).sort();
  }

  /** Keeps the consoles' logs, for a failure, and says where. */
  async keepLogs(): Promise<string> {
    const kept = join(checkout, '.cache', 'lab-logs', `${Date.now()}`);
    await mkdir(kept, { recursive: true });
    await systemProcesses.run('sh', ['-c', `cp "$1"/*.log "$2" 2>/dev/null || true`, 'sh', this.directory, kept]);
    return kept;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopServer();
    for (const each of this.#running.reverse()) await each[Symbol.asyncDispose]();
    await this.network[Symbol.asyncDispose]();
    this.#forget();
    await rm(this.directory, { recursive: true, force: true });
  }

  #tell(piece: Uint8Array): string {
    const text = Buffer.from(piece).toString('utf8');
    for (const line of text.split('\n')) if (line.trim() !== '') this.onOutput?.(line);
    return text;
  }
}

/** Exit status from the error of a failed process. */
function statusOf(error: unknown): number {
  const match = /\(status (\d+)\)/.exec(error instanceof Error ? error.message : '');
  return match?.[1] === undefined ? 1 : Number(match[1]);
}
