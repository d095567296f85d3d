import { readdirSync } from 'node:fs';
import { type ProcessOptions, type ProcessResult, type RunningProcess, systemProcesses } from '../../src/system/run.ts';
import { atExit, runSync } from './cleanup.ts';

const prefix = 'imprint-';

/**
 * A network of its own, in a namespace: a bridge `br0` with 10.9.0.1/24, and a tap for each machine. Nothing of it can
 * reach the host's network, nor the other way round. Needs root.
 */
export class LabNetwork implements AsyncDisposable {
  readonly bridge = 'br0';
  readonly address = '10.9.0.1';
  /** Name of the namespace: `ip netns exec NAME COMMAND…` runs something in it. */
  readonly name: string;
  readonly #forget: () => void;
  #taps = 0;

  private constructor(name: string) {
    this.name = name;
    this.#forget = atExit(() => removeNamespace(name));
  }

  /** Makes the network; `name` defaults to one that tells its maker's process, so that what a crash left is swept. */
  static async make(name = `${prefix}${process.pid}-${Math.random().toString(36).slice(2, 6)}`): Promise<LabNetwork> {
    sweep();
    removeNamespace(name);
    await systemProcesses.run('ip', ['netns', 'add', name], { timeout: 20_000 });
    const network = new LabNetwork(name);
    const setUp = [
      ['link', 'set', 'lo', 'up'],
      // Forwarding delay and spanning tree would make a booting machine wait for half a minute.
      ['link', 'add', network.bridge, 'type', 'bridge', 'forward_delay', '0', 'stp_state', '0'],
      // A port that is always plugged in: a bridge without one has no carrier, and counts as down.
      ['link', 'add', 'port0', 'type', 'veth', 'peer', 'name', 'plug0'],
      ['link', 'set', 'port0', 'master', network.bridge, 'up'],
      ['link', 'set', 'plug0', 'up'],
      ['addr', 'add', `${network.address}/24`, 'dev', network.bridge],
      ['link', 'set', network.bridge, 'up'],
      ['addr', 'add', 'fd09::1/64', 'dev', network.bridge, 'nodad'],
    ];
    for (const args of setUp) await network.run('ip', args, { timeout: 20_000 });
    network.#startIpv6Router();
    return network;
  }

  /** iPXE asks for an IPv6 router at every boot, and waits 13 seconds where none answers. It ends with the namespace. */
  #startIpv6Router(): void {
    const router = this.start('dnsmasq', [
      ...['--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--user=root', '--pid-file=', '--leasefile-ro'],
      ...[`--interface=${this.bridge}`, '--bind-interfaces', '--enable-ra', '--dhcp-range=fd09::,ra-only'],
    ]);
    router.stdout.resume();
    router.stderr.resume();
  }

  /** A new tap on the bridge, for one machine's network card. */
  async addTap(): Promise<string> {
    const tap = `tap${this.#taps}`;
    this.#taps += 1;
    await this.run('ip', ['tuntap', 'add', 'dev', tap, 'mode', 'tap'], { timeout: 20_000 });
    await this.run('ip', ['link', 'set', tap, 'master', this.bridge, 'up'], { timeout: 20_000 });
    return tap;
  }

  /** Pulls (`down`) or plugs (`up`) a machine's cable. */
  async setTap(tap: string, state: 'up' | 'down'): Promise<void> {
    await this.run('ip', ['link', 'set', tap, state], { timeout: 20_000 });
  }

  /** Runs a command in the namespace to its end. */
  run(tool: string, args: readonly string[], options?: ProcessOptions): Promise<ProcessResult> {
    return systemProcesses.run('ip', [...this.words(), tool, ...args], options);
  }

  /** Starts a command in the namespace; it ends with this process. */
  start(tool: string, args: readonly string[], options?: ProcessOptions): RunningProcess {
    return systemProcesses.start(
      'ip',
      [...this.words(), 'setpriv', '--pdeathsig', 'TERM', '--', tool, ...args],
      options,
    );
  }

  /** The arguments of `ip` that come before a command that is to run in the namespace. */
  words(): string[] {
    return ['netns', 'exec', this.name];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#forget();
    removeNamespace(this.name);
  }
}

/** Ends every process in the namespace, and the namespace. */
export function removeNamespace(name: string): void {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const pids = runSync('ip', 'netns', 'pids', name).stdout.split('\n').filter(Boolean).map(Number);
    for (const pid of pids) endProcess(pid, signal);
    if (signal === 'SIGTERM' && pids.length > 0) runSync('sleep', '0.5');
  }
  runSync('ip', 'netns', 'delete', name);
}

function endProcess(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself meanwhile.
  }
}

/** Removes the networks of test processes that died without a chance to clean up. */
function sweep(): void {
  let names: string[] = [];
  try {
    names = readdirSync('/run/netns');
  } catch {
    return;
  }
  for (const name of names) {
    const owner = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1];
    if (owner !== undefined && !isAlive(Number(owner))) removeNamespace(name);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
