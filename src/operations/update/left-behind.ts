import { type RawPath, rawPath } from '../../foundation/brand.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import type { Entry } from '../../image/entry.ts';
import { isFile } from '../../native/status.ts';
import { walk } from '../../tree/walk.ts';
import { lookAt } from './object-files.ts';
import type { KeptObject } from './object-state.ts';

/** Where people and services keep what is dear to them, relative to the root. */
const places: readonly string[] = [
  ...['home', 'root', 'srv', 'opt', 'usr/local', 'var/www', 'var/mail', 'var/spool/cron'],
  ...[
    'mysql',
    'postgresql',
    'mongodb',
    'redis',
    'ldap',
    'docker',
    'containers',
    'libvirt',
    'lxc',
    'machines',
    'git',
  ].map((name) => `var/lib/${name}`),
];

/**
 * Files of the running root that are in no version and not carried, where data usually is: they stay in the slot that is left, and go when that is
 * filled again. A line for each place. What lies on another file system is the same for all slots.
 */
export async function leftBehind(
  root: string,
  known: { entries(): AsyncIterable<Entry[]> },
  object: KeptObject,
): Promise<string[]> {
  const base = rawPath(root === '/' ? '' : root);
  const there = places.filter((place) => lookAt(`${base}/${place}`) !== undefined);
  const accounted = new Set<string>(object.entries.map(({ path }) => path));
  for await (const entries of known.entries()) {
    for (const { path } of entries) if (there.some((place) => path.startsWith(`${place}/`))) accounted.add(path);
  }
  const top = lookAt(root === '/' ? '/' : base);
  const lines: string[] = [];
  for (const place of there) {
    let [files, bytes] = [0, 0];
    for (const { path, status } of walk(`${base}/${place}` as RawPath)) {
      // What is mounted here is another file system's; a subvolume is not.
      if (status.mountId !== top?.mountId) continue;
      if (!isFile(status.mode) || accounted.has(`${place}/${path}`) || ownShell.test(path)) continue;
      files += 1;
      bytes += status.size;
    }
    if (files > 0) lines.push(`/${place} (${files} file${files === 1 ? '' : 's'}, ${formatBytes(bytes)})`);
  }
  return lines;
}

/** What shells and programs leave in every home. */
const ownShell = /(^|\/)\.(bash_history|lesshst|viminfo|wget-hsts|cache\/.*|python_history|sudo_as_admin_successful)$/;
