import { access, chmod, copyFile, readFile, stat, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import type { z } from 'zod';
import type { netbootStatusSchema } from '../contract/operations/server.ts';
import { parseMacAddress } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { renderChainScript } from '../netboot/boot-script.ts';
import { probeDhcp } from '../netboot/dhcp-probe.ts';
import {
  type NetbootInterface,
  readRange,
  renderDhcpHosts,
  renderDnsmasqConfiguration,
  renderHosts,
  tftpFiles,
  usualRange,
} from '../netboot/dnsmasq.ts';
import { createDnsmasqSupervisor, type DnsmasqSupervisor, endOrphan } from '../netboot/dnsmasq-supervisor.ts';
import { makeDirectories } from '../store/make-directories.ts';
import type { Context } from './context.ts';

export interface NetbootOptions {
  interface: string;
  proxyDhcp: boolean;
  allowForeignDhcp: boolean;
  /** `FIRST,LAST`; absent: the upper half of the network. */
  dhcpRange?: string;
  /** URL of our HTTP server as machines see it, without a slash at its end. */
  server: string;
  /** Packages put the iPXE binaries here. */
  ipxeDirectory?: string;
  signal: AbortSignal;
}

/** Netboot while it runs. */
export interface Netboot extends AsyncDisposable {
  status(): Promise<z.infer<typeof netbootStatusSchema>>;
}

type Interface = NetbootInterface & { mac: string };

/** An interface of this machine with its first IPv4 address. Errors: `netboot-unfit`. */
export function findInterface(name: string): Interface {
  const interfaces = networkInterfaces();
  const found = interfaces[name]?.find(({ family }) => family === 'IPv4');
  if (found) return { name, address: found.address, netmask: found.netmask, mac: found.mac };
  const others = Object.keys(interfaces).filter((other) => other !== 'lo' && other !== name);
  const hint = interfaces[name]
    ? `Give it one: ip address add 10.9.0.1/24 dev ${name}`
    : `Name one that is up and has an IPv4 address; there is ${others.length > 0 ? others.join(', ') : 'none'}.`;
  const problem = interfaces[name] ? 'it has no IPv4 address' : 'there is no such interface, or it is down';
  throw new ImprintError('netboot-unfit', { interface: name, problem, hint });
}

/**
 * Serves DHCP (or proxyDHCP) and TFTP on one interface, by a dnsmasq of our own; its hosts follow the machines at once.
 * Errors: `netboot-unfit`, `dhcp-foreign`, `tool-missing`, `process-failed`, `disk-full`, `io-failed`.
 */
export async function runNetboot(context: Context, options: NetbootOptions): Promise<Netboot> {
  const { paths, log } = context;
  const network = findInterface(options.interface);
  const range = options.proxyDhcp ? { first: network.address, last: network.address } : chooseRange(options, network);
  const tftpRoot = join(paths.netboot, 'tftp');
  const files = {
    tftpRoot,
    leases: join(paths.dnsmasq, 'leases'),
    pid: join(paths.dnsmasq, 'dnsmasq.pid'),
    dhcpHosts: join(paths.dnsmasq, 'dhcp-hosts'),
  };
  const hostsFiles = { dhcp: files.dhcpHosts, plain: join(paths.dnsmasq, 'hosts') };
  const configurationFile = join(paths.dnsmasq, 'dnsmasq.conf');
  await endOrphan({ pidFile: files.pid, configurationFile, clock: context.clock });
  if (!options.proxyDhcp && !options.allowForeignDhcp) await refuseForeignDhcp(context, network, options.signal);
  await makeDirectories(paths.dnsmasq, 0o755);
  await prepareTftp(options, tftpRoot);
  const user = await chooseUser(tftpRoot);
  const supervisor = createDnsmasqSupervisor({
    processes: context.processes,
    clock: context.clock,
    interface: network.name,
    changesUser: user !== undefined,
    signal: options.signal,
    configurationFile,
    pidFile: files.pid,
    hostsFiles,
    said: (line) => log.info({ dnsmasq: line }, 'dnsmasq'),
    died: (problem, pause) => log.error({ problem, pause }, 'dnsmasq ended; it is started again'),
  });
  const follow = () => followMachines(context, supervisor);
  await follow();
  const configuration = renderDnsmasqConfiguration({
    interface: network,
    mode: options.proxyDhcp ? 'proxy' : 'dhcp',
    range,
    authoritative: !options.allowForeignDhcp,
    server: options.server,
    ...(user !== undefined && { user }),
    files,
  });
  await writeFile(configurationFile, configuration, { mode: 0o644 });
  await supervisor.start();
  const unsubscribe = context.changes.subscribe((change) => {
    if (change.kind !== 'machine' && change.kind !== 'machine-removed') return;
    follow().catch((thrown) => log.error({ err: thrown }, 'the hosts of dnsmasq could not be written'));
  });
  return {
    status: async () => {
      const { state, problem, restarts } = supervisor.status();
      const imager = await hasImager(paths.netboot);
      return {
        interface: network.name,
        mode: options.proxyDhcp ? 'proxy' : 'dhcp',
        state,
        restarts,
        imager,
        ...(problem !== undefined && { problem }),
      };
    },
    [Symbol.asyncDispose]: async () => {
      unsubscribe();
      await supervisor.stop();
    },
  };
}

/** Whether kernel and initrd of the imager are there. */
export async function hasImager(directory: string): Promise<boolean> {
  const checks = ['vmlinuz', 'initrd.img'].map((name) => access(join(directory, name)));
  return (await Promise.allSettled(checks)).every(({ status }) => status === 'fulfilled');
}

function chooseRange(options: NetbootOptions, network: Interface): { first: string; last: string } {
  const hint = `Say which addresses it may hand out: --dhcp-range FIRST,LAST`;
  const unfit = (problem: string) => new ImprintError('netboot-unfit', { interface: network.name, problem, hint });
  if (options.dhcpRange === undefined) {
    const range = usualRange(network);
    if (range) return range;
    throw unfit(`its network (netmask ${network.netmask}) has no room for others`);
  }
  const range = readRange(options.dhcpRange, network);
  if (typeof range === 'string') throw unfit(`the DHCP range does not fit: ${range}`);
  return range;
}

async function refuseForeignDhcp(context: Context, network: Interface, signal: AbortSignal): Promise<void> {
  const { name, address } = network;
  const mac = parseMacAddress(network.mac);
  if (mac === undefined) {
    const hint = 'Name an Ethernet interface.';
    throw new ImprintError('netboot-unfit', { interface: name, problem: 'it has no MAC address', hint });
  }
  context.log.info({ interface: name }, 'asking whether another DHCP server answers');
  const servers = await probeDhcp({ interface: name, address, mac, clock: context.clock, signal });
  if (servers.length > 0) throw new ImprintError('dhcp-foreign', { interface: name, servers: servers.join(', ') });
}

async function prepareTftp(options: NetbootOptions, tftpRoot: string): Promise<void> {
  const source = options.ipxeDirectory ?? '/usr/lib/ipxe';
  await makeDirectories(tftpRoot, 0o755);
  for (const file of [tftpFiles.bios, tftpFiles.uefi]) {
    try {
      await copyFile(join(source, file), join(tftpRoot, file));
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
      const problem = `${join(source, file)} is missing`;
      const hint = 'Install the package ipxe.';
      throw new ImprintError('netboot-unfit', { interface: options.interface, problem, hint }, { cause: thrown });
    }
    await chmod(join(tftpRoot, file), 0o644);
  }
  await writeFile(join(tftpRoot, tftpFiles.script), renderChainScript(options.server), { mode: 0o644 });
}

async function followMachines(context: Context, supervisor: DnsmasqSupervisor): Promise<void> {
  const machines = await (await context.database()).machines.all();
  await supervisor.update({ dhcp: renderDhcpHosts(machines), plain: renderHosts(machines) });
}

/**
 * `dnsmasq`, the user that its package made, where that one can reach the files; else `root`, so that a data directory
 * below a private one stays private. Undefined in a user namespace, where nobody can change to anyone.
 */
async function chooseUser(tftpRoot: string): Promise<string | undefined> {
  const mapping = await readFile('/proc/self/uid_map', 'utf8').catch(() => '');
  if (!/^\s*0\s+0\s+4294967295\s*$/m.test(mapping)) return undefined;
  const users = await readFile('/etc/passwd', 'utf8').catch(() => '');
  if (!/^dnsmasq:/m.test(users)) return 'root';
  for (let directory = tftpRoot; ; directory = dirname(directory)) {
    if (((await stat(directory)).mode & 0o001) === 0) return 'root';
    if (directory === dirname(directory)) return 'dnsmasq';
  }
}
