import type { RawPath } from '../foundation/brand.ts';
import { parseExcludes } from './exclude.ts';

/** What becomes of a secret: the path is left out, or stays as an empty file. */
export type ScrubAction = 'remove' | 'empty';

interface SecretRule {
  what: string;
  action: ScrubAction;
  globs: readonly string[];
  /** Only regular files: a symlink of this name is no secret. */
  filesOnly?: boolean;
}

/**
 * What makes one machine itself and must not reach another. The system makes each anew at its first boot, or the install
 * does. Sources: systemd's “Safely Building Images”, virt-sysprep(1), and the packages named.
 */
export const machineSecrets: readonly SecretRule[] = [
  { what: 'SSH host keys', action: 'remove', globs: ['/etc/ssh/ssh_host_*', '/etc/dropbear/dropbear_*_host_key'] },
  // Empty, not absent: systemd fills it at boot even where /etc cannot be written, and does not take the boot for the first one.
  { what: 'machine-id', action: 'empty', globs: ['/etc/machine-id'], filesOnly: true },
  { what: 'machine-id of D-Bus', action: 'remove', globs: ['/var/lib/dbus/machine-id'], filesOnly: true },
  {
    what: 'random seeds',
    action: 'remove',
    globs: [
      '/var/lib/systemd/random-seed',
      '/var/lib/urandom/random-seed',
      '/var/lib/random-seed',
      '/boot/loader/random-seed',
      '/boot/efi/loader/random-seed',
      '/efi/loader/random-seed',
      '/var/lib/postfix/prng_exch',
    ],
  },
  {
    what: 'credentials sealed to the machine',
    action: 'remove',
    globs: ['/var/lib/systemd/credential.secret', '/etc/credstore.encrypted/*', '/etc/krb5.keytab'],
  },
  { what: 'keys of encrypted disks', action: 'remove', globs: ['/etc/cryptsetup-keys.d/*'], filesOnly: true },
  {
    what: 'DHCP leases and identifiers',
    action: 'remove',
    globs: [
      '/var/lib/dhcp/*.lease*',
      '/var/lib/dhclient/*.lease*',
      '/var/lib/dhcpcd/*',
      '/var/lib/dhcpcd5/*',
      '/etc/dhcpcd.duid',
      '/var/lib/NetworkManager/*.lease',
      '/var/lib/NetworkManager/secret_key',
      '/var/lib/NetworkManager/timestamps',
      '/var/lib/NetworkManager/seen-bssids',
      '/var/lib/wicked/*',
    ],
  },
  {
    what: 'names of network cards by MAC address',
    action: 'remove',
    globs: ['/etc/udev/rules.d/70-persistent-net.rules', '/etc/udev/rules.d/70-persistent-cd.rules'],
  },
  {
    what: 'the self-made TLS certificate',
    action: 'remove',
    globs: ['/etc/ssl/private/ssl-cert-snakeoil.key', '/etc/ssl/certs/ssl-cert-snakeoil.pem'],
  },
  {
    what: 'cloud-init’s state',
    action: 'remove',
    globs: ['/var/lib/cloud/instance', '/var/lib/cloud/instances/*', '/var/lib/cloud/data/*', '/var/lib/cloud/sem/*'],
  },
  {
    what: 'keys of agents and networks that know each machine by name',
    action: 'remove',
    globs: [
      '/var/lib/puppet/ssl/**',
      '/etc/puppetlabs/puppet/ssl/**',
      '/etc/salt/pki/minion/minion.*',
      '/etc/chef/client.pem',
      '/var/lib/tailscale/tailscaled.state',
      '/var/lib/samba/private/secrets.tdb',
      '/var/lib/libuuid/clock.txt',
    ],
  },
  {
    what: 'root’s histories',
    action: 'remove',
    globs: ['/root/.bash_history', '/root/.zsh_history', '/root/.python_history', '/root/.lesshst', '/root/.viminfo'],
  },
];

/** Paths that often hold secrets and as often belong to the class of machines: kept, and named to the user. */
export const suspectGlobs: readonly string[] = [
  '/root/.ssh/id_*',
  '/home/*/.ssh/id_*',
  '/etc/wireguard/*.conf',
  '/etc/openvpn/**/*.key',
  '/etc/letsencrypt/live/*',
  '/etc/iscsi/initiatorname.iscsi',
  '/var/lib/kubelet/pki/*',
  '/etc/NetworkManager/system-connections/*',
];

export interface SecretFinder {
  /** What is to become of this path; undefined for one that is no secret. `type` as `find -printf %y` has it. */
  find(path: RawPath, isDirectory: boolean, isFile: boolean): ScrubAction | undefined;
  /** True for a path that the user should hear of. */
  isSuspect(path: RawPath): boolean;
}

/** Recognises secrets by path, for a capture whose root is a whole system. */
export function secretFinder(): SecretFinder {
  const rules = machineSecrets.map((rule) => ({ rule, matcher: parseExcludes(rule.globs) }));
  const suspects = parseExcludes(suspectGlobs);
  return {
    find(path, isDirectory, isFile) {
      const found = rules.find(
        ({ rule, matcher }) => (isFile || !rule.filesOnly) && matcher.excludes(path, isDirectory),
      );
      return found?.rule.action;
    },
    isSuspect: (path) => suspects.excludes(path, false),
  };
}
