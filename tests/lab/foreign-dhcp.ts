import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ProcessResult, systemProcesses } from '../../src/system/run.ts';
import { atExit } from './cleanup.ts';
import { type LabNetwork, removeNamespace } from './network.ts';

const address = '10.9.0.3';
const timeout = 20_000;

/** The DHCP server of a site that knows nothing of netboot, and the machine that it runs on. */
export interface ForeignDhcp extends AsyncDisposable {
  readonly address: string;
  /** The addresses that it has handed out now, by MAC address. */
  leases(): Promise<ReadonlyMap<string, string>>;
  /** Runs a command on the server's machine: a neighbour of ours on the wire. */
  run(tool: string, args: readonly string[]): Promise<ProcessResult>;
}

/**
 * Starts a plain dnsmasq with nothing but a range (10.9.0.100 to 10.9.0.149) in a second namespace, whose cable is in the
 * network's bridge: its broadcasts come over the wire, as those of another machine. It ends with the network at the latest.
 */
export async function startForeignDhcp(network: LabNetwork, directory: string): Promise<ForeignDhcp> {
  // The name starts with the network's, so that whoever sweeps that one up after a crash finds this one, too.
  const name = `${network.name}-site`;
  const leaseFile = join(directory, 'foreign.leases');
  const ip = (...args: string[]) => systemProcesses.run('ip', args, { timeout });
  const remove = () => removeNamespace(name);
  await ip('netns', 'add', name);
  const forget = atExit(remove);
  try {
    await network.run('ip', ['link', 'add', 'site0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name], {
      timeout,
    });
    await network.run('ip', ['link', 'set', 'site0', 'master', network.bridge, 'up'], { timeout });
    await ip('-n', name, 'link', 'set', 'lo', 'up');
    await ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    await ip('-n', name, 'link', 'set', 'eth0', 'up');
  } catch (error) {
    forget();
    remove();
    throw error;
  }
  const words = ['netns', 'exec', name];
  const server = systemProcesses.start('ip', [
    ...[...words, 'setpriv', '--pdeathsig', 'TERM', '--', 'dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null'],
    // A change of user or group would take away what ends it with us.
    ...['--user=root', '--group=root', '--port=0', '--log-facility=-', '--interface=eth0', '--bind-interfaces'],
    ...['--dhcp-range=10.9.0.100,10.9.0.149,255.255.255.0,12h', `--dhcp-leasefile=${leaseFile}`],
    `--pid-file=${join(directory, 'foreign-dhcp.pid')}`,
  ]);
  server.stdout.resume();
  return {
    address,
    leases: async () => {
      const lines = (await readFile(leaseFile, 'utf8').catch(() => '')).split('\n');
      return new Map(lines.map((line) => line.split(' ')).flatMap(([, mac, ip]) => (mac && ip ? [[mac, ip]] : [])));
    },
    run: (tool, args) => systemProcesses.run('ip', [...words, tool, ...args], { timeout }),
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      forget();
      remove();
    },
  };
}
