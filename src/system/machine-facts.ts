import { open, readdir, readFile, readlink } from 'node:fs/promises';
import { cpus, networkInterfaces } from 'node:os';
import type { MachineFacts } from '../contract/machine.ts';
import { parseMacAddress } from '../foundation/brand.ts';
import { diskPaths, parseDisks, type SysfsDisk } from '../machine/disk-facts.ts';
import { cpuModel, dmiText, dmiUuid, scsiSerial, totalMemory } from '../machine/machine-facts.ts';
import type { PartitionSources } from '../machine/partition-facts.ts';
import { superblockReach } from '../machine/superblock.ts';
import type { Processes } from './run.ts';

/**
 * What this machine says of itself. Errors: `tool-missing`, `process-failed` (lsblk); whatever else is missing is left out.
 * `also` names devices to take as disks that are none (loop devices in tests).
 */
export async function readMachineFacts(processes: Processes, also: readonly string[] = []): Promise<MachineFacts> {
  const [uuid, serial, vendor, product] = await Promise.all(
    ['product_uuid', 'product_serial', 'sys_vendor', 'product_name'].map((name) => text(`/sys/class/dmi/id/${name}`)),
  );
  const cpuinfo = (await text('/proc/cpuinfo')) ?? '';
  return {
    ...defined('uuid', dmiUuid(uuid)),
    ...defined('serial', dmiText(serial)),
    ...defined('vendor', dmiText(vendor)),
    ...defined('product', dmiText(product)),
    architecture: architectures[process.arch] ?? process.arch,
    cpu: cpuModel(cpuinfo) ?? cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory: totalMemory((await text('/proc/meminfo')) ?? ''),
    firmware: (await names('/sys/firmware/efi')).length > 0 ? 'uefi' : 'bios',
    interfaces: await readInterfaces(),
    disks: await readDisks(processes, also),
  };
}

/** The disks of this machine; errors as `readMachineFacts`. */
export async function readDisks(processes: Processes, also: readonly string[] = []): Promise<MachineFacts['disks']> {
  const lsblk = await processes.run('lsblk', ['--json', '--bytes', '--output-all'], { timeout: 60_000 });
  const sysfs: Record<string, SysfsDisk> = {};
  for (const name of await names('/sys/block')) sysfs[name] = await readSysfsDisk(name);
  const partitions: Record<string, PartitionSources> = {};
  for (const paths of diskPaths({ lsblk: lsblk.stdout, also })) {
    partitions[paths.disk] = await readPartitions(paths.disk, paths.partitions, processes);
  }
  return parseDisks({ lsblk: lsblk.stdout, swaps: (await text('/proc/swaps')) ?? '', sysfs, partitions, also });
}

/** How a disk is divided and what lies there, asked of the devices themselves: nothing where this user may not read them. */
async function readPartitions(
  disk: string,
  devices: readonly string[],
  processes: Processes,
): Promise<PartitionSources> {
  const ask = async (tool: string, args: string[]) => {
    const result = await processes.run(tool, args, { timeout: 30_000 }).catch(() => undefined);
    return result?.stdout;
  };
  const table = await ask('sfdisk', ['--json', disk]);
  const signatures: Record<string, string> = {};
  const heads: Record<string, Uint8Array> = {};
  for (const device of [disk, ...devices]) {
    const answer = await ask('wipefs', ['--json', device]);
    if (answer !== undefined) signatures[device] = answer;
    const head = await firstBytes(device);
    if (head !== undefined) heads[device] = head;
  }
  return { signatures, heads, ...(table === undefined ? {} : { table }) };
}

async function firstBytes(device: string): Promise<Uint8Array | undefined> {
  const file = await open(device, 'r').catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(superblockReach), 0, superblockReach, 0);
    return buffer.subarray(0, bytesRead);
  } catch {
    return undefined;
  } finally {
    await file.close();
  }
}

/** Names that Node and the kernel (`uname -m`) give the same processors. */
const architectures: Readonly<Record<string, string>> = {
  x64: 'x86_64',
  ia32: 'i686',
  arm64: 'aarch64',
  arm: 'armv7l',
  riscv64: 'riscv64',
  ppc64: 'ppc64le',
  s390x: 's390x',
};

async function readInterfaces(): Promise<MachineFacts['interfaces']> {
  const addresses = networkInterfaces();
  const found: MachineFacts['interfaces'] = [];
  for (const name of (await names('/sys/class/net')).sort()) {
    const base = `/sys/class/net/${name}`;
    // What has no device below it is a bridge, a tunnel, the loopback: no card.
    const device = await readlink(`${base}/device`).catch(() => undefined);
    const mac = parseMacAddress(((await text(`${base}/address`)) ?? '').trim());
    if (device === undefined || mac === undefined || mac === '00:00:00:00:00:00') continue;
    const driver = await readlink(`${base}/device/driver`).catch(() => undefined);
    const carrier = await text(`${base}/carrier`);
    found.push({
      name,
      mac,
      ...defined('address', addresses[name]?.find((address) => address.family === 'IPv4')?.address),
      ...defined('driver', driver?.split('/').at(-1)),
      ...(carrier === undefined ? {} : { carrier: carrier.trim() === '1' }),
    });
  }
  return found;
}

/** What lsblk knows only where udev runs, which it does not in the imager. */
async function readSysfsDisk(name: string): Promise<SysfsDisk> {
  const base = `/sys/block/${name}`;
  const page = await readFile(`${base}/device/vpd_pg80`).catch(() => undefined);
  const serial =
    (await text(`${base}/serial`)) ??
    (await text(`${base}/device/serial`)) ??
    (page === undefined ? undefined : scsiSerial(page));
  const model = await text(`${base}/device/model`);
  const wwn = (await text(`${base}/wwid`)) ?? (await text(`${base}/device/wwid`));
  return {
    ...defined('serial', dmiText(serial)),
    ...defined('model', model?.trim()),
    ...defined('wwn', wwn?.trim().replaceAll(/\s+/g, ' ')),
    ...(name.startsWith('nvme') ? { transport: 'nvme' } : name.startsWith('vd') ? { transport: 'virtio' } : {}),
  };
}

async function text(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}

async function names(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}

function defined<Name extends string>(name: Name, value: string | undefined): { [Key in Name]?: string } {
  return value === undefined || value === '' ? {} : ({ [name]: value } as { [Key in Name]?: string });
}
