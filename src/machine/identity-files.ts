/** Files that make an installed machine itself, rendered from what the image had. */

/**
 * `/etc/hosts` with this machine's name on 127.0.1.1 instead of the golden machine's. Other lines stay, but names of
 * the golden machine leave the lines of its own addresses.
 */
export function renderHosts(imageHosts: string, name: string, goldenName: string | undefined): string {
  const own = `127.0.1.1\t${nameWords(name).join(' ')}`;
  const golden = new Set(goldenName === undefined ? [] : nameWords(goldenName));
  const lines: string[] = [];
  let placed = false;
  for (const line of imageHosts.replace(/\n+$/, '').split('\n')) {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (address === '127.0.1.1') {
      if (!placed) lines.push(own);
      placed = true;
    } else if (address !== undefined && names.some((word) => golden.has(word))) {
      const left = names.filter((word) => !golden.has(word));
      if (left.length > 0) lines.push(`${address}\t${left.join(' ')}`);
    } else {
      lines.push(line);
    }
  }
  if (placed) return `${lines.join('\n')}\n`;
  const after = lines.findIndex((line) => /^127\.0\.0\.1\s/.test(line));
  if (after < 0) return `${['127.0.0.1\tlocalhost', own, ...lines].join('\n').trimEnd()}\n`;
  return `${[...lines.slice(0, after + 1), own, ...lines.slice(after + 1)].join('\n')}\n`;
}

/** `/etc/hostname`: the short name, as systemd and Debian want it. */
export function renderHostName(name: string): string {
  return `${shortName(name)}\n`;
}

/** `web01.example.org` → `web01`. */
export function shortName(name: string): string {
  return name.split('.', 1)[0] ?? name;
}

/** Full name first, as `hostname --fqdn` expects. */
function nameWords(name: string): string[] {
  return name.includes('.') ? [name, shortName(name)] : [name];
}

/**
 * State that two machines must not share and that each makes anew by itself: patterns of raw paths, `*` within one name.
 * Removed after the restore, also where a capture kept secrets.
 */
export const machineOwnState: readonly string[] = [
  'var/lib/systemd/random-seed',
  'var/lib/systemd/credential.secret',
  'var/lib/random-seed',
  'var/lib/urandom/random-seed',
  'var/lib/dhcp/*.leases',
  'var/lib/dhcp/*.lease',
  'var/lib/dhclient/*.leases',
  'var/lib/NetworkManager/*.lease',
  'var/lib/NetworkManager/secret_key',
  'var/lib/NetworkManager/seen-bssids',
  'etc/udev/rules.d/70-persistent-net.rules',
  'etc/udev/rules.d/75-persistent-net-generator.rules',
  'boot/grub/grubenv',
];
