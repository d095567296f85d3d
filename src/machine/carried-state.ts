import { agentPaths } from './installed-layout.ts';

/**
 * What makes a machine itself, as globs relative to the root (`*` within one name): carried from slot to slot and kept in the state directory. A
 * file that is as the version has it is not carried: it belongs to the class, and the next version may change it. `carry:` of
 * `/etc/imprint/agent.yaml` adds to the list.
 */
export const identityPaths: readonly string[] = [
  'etc/hostname',
  'etc/hosts',
  'etc/machine-id',
  'etc/machine-info',
  'var/lib/dbus/machine-id',
  'etc/ssh/ssh_host_*',
  'etc/dropbear/dropbear_*_host_key',
  'etc/network/interfaces',
  'etc/network/interfaces.d/*',
  'etc/netplan/*',
  'etc/NetworkManager/system-connections/*',
  'etc/systemd/network/*',
  'etc/sysconfig/network-scripts/ifcfg-*',
  'etc/wireguard/*',
  'etc/resolv.conf',
  'etc/adjtime',
  'etc/iscsi/initiatorname.iscsi',
  'etc/nvme/hostid',
  'etc/nvme/hostnqn',
  'etc/krb5.keytab',
  'etc/ssl/private/ssl-cert-snakeoil.key',
  'etc/ssl/certs/ssl-cert-snakeoil.pem',
  agentPaths.settings,
];

/** Where objects are kept, and how a root says whose object it has. */
export const objectPaths = {
  /** On the host partition of the layout `files`. */
  onHost: 'data/imprint/object',
  /** In the root of the others. */
  inRoot: 'var/lib/imprint/objects',
  /** In each slot: `OWNER NUMBER`, the owner being the UUID of the host partition, or of the boot partition where there is no other. */
  mark: 'var/lib/imprint/object',
  /** Of an object: what is laid over a root, and what it is. */
  tree: 'tree',
  description: 'object.json',
  /** Link beside the objects to the newest one. */
  latest: 'latest',
} as const;

/** Objects that are kept. */
export const keptObjects = 10;

/** A glob of `carry:` in the form of this list: without the slash in front or at its end. */
export function carriedPath(glob: string): string {
  return glob.replace(/^\/+|\/+$/g, '');
}
