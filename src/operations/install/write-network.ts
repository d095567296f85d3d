import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Task } from '../../foundation/task.ts';
import {
  type InstalledNetwork,
  type NetworkManagerKind,
  networkFiles,
  predictableName,
  renderResolvConf,
} from '../../machine/network-files.ts';
import { type RootFiles, rootFiles } from '../../system/root-files.ts';
import type { Processes } from '../../system/run.ts';

/**
 * Gives the system below `root`, which does not run, the address of its machine, in the files of whoever brings its network up. Returns who that is; undefined where nobody is known, and
 * then nothing was written. Errors: `io-failed`, `disk-full`.
 */
export async function writeNetwork(
  root: string,
  wish: InstalledNetwork,
  processes: Processes,
  task: Task,
): Promise<NetworkManagerKind | undefined> {
  const files = rootFiles(root);
  const kind = await findNetworkManager(files);
  if (kind === undefined) {
    task.warn(
      `nobody is known who brings its network up: its address ${wish.address}/${wish.prefix} was not written anywhere`,
    );
    return undefined;
  }
  const name = kind === 'ifupdown' ? await nameOf(processes, wish) : wish.interface;
  const { write, aside } = networkFiles(kind, wish, name);
  for (const pattern of aside) await layAside(files, pattern);
  for (const { path, text, mode } of write) await files.write(path, text, mode);
  // A link is somebody's who writes what it points at.
  if (kind === 'ifupdown' && wish.dns.length > 0 && (await files.read('etc/resolv.conf')) !== undefined)
    await files.write('etc/resolv.conf', renderResolvConf(wish));
  return kind;
}

/** Who brings the network up, as what is enabled tells. */
async function findNetworkManager(files: RootFiles): Promise<NetworkManagerKind | undefined> {
  const some = async (...paths: string[]) =>
    (await Promise.all(paths.map((path) => files.exists(path)))).includes(true);
  const wants = 'etc/systemd/system/multi-user.target.wants';
  if (await some('usr/sbin/netplan', 'usr/bin/netplan')) return 'netplan';
  if (await some(`${wants}/NetworkManager.service`)) return 'networkmanager';
  if (await some(`${wants}/systemd-networkd.service`, 'etc/systemd/system/dbus-org.freedesktop.network1.service'))
    return 'networkd';
  if (await some('sbin/ifup', 'usr/sbin/ifup')) return 'ifupdown';
  return undefined;
}

async function nameOf(processes: Processes, wish: InstalledNetwork): Promise<string> {
  if (wish.kernelNames) return wish.interface;
  const args = ['test-builtin', 'net_id', `/sys/class/net/${wish.interface}`];
  const said = await processes.run('udevadm', args, { timeout: 30_000 }).catch(() => undefined);
  return predictableName(said?.stdout ?? '') ?? wish.interface;
}

/** Files of the golden machine that would say something else; they stay beside. */
async function layAside(files: RootFiles, pattern: string): Promise<void> {
  const cut = pattern.lastIndexOf('/');
  const directory = await files.resolve(pattern.slice(0, cut));
  const wanted = new RegExp(
    `^${pattern
      .slice(cut + 1)
      .replaceAll('.', '\\.')
      .replaceAll('*', '.*')}$`,
  );
  for (const name of await readdir(directory).catch((): string[] => [])) {
    if (wanted.test(name) && !name.endsWith('.golden'))
      await rename(join(directory, name), join(directory, `${name}.golden`));
  }
}
