import { type RawPath, rawPath } from '../foundation/brand.ts';

/**
 * Which paths of a tree are left out, by globs. The last glob that matches a path decides; what lies below a directory
 * that is left out is left out with it.
 */
export interface Excluder {
  /** Whether this path is itself matched; the caller does not descend into a directory that is. */
  excludes(path: RawPath, isDirectory: boolean): boolean;
}

/**
 * What a capture of a whole system leaves out unless told otherwise: caches that packages fill again, temporary files, the
 * journal (it is kept below the machine-id of the golden machine), dumps of crashes, an image server's own data, and what an install adds.
 */
export const defaultExcludes: readonly string[] = [
  '/tmp/*',
  '/var/tmp/*',
  '/var/cache/apt/archives/*.deb',
  '/var/cache/apt/archives/partial/*',
  '/var/cache/apt/*.bin',
  '/var/cache/dnf/*',
  '/var/cache/yum/*',
  '/var/cache/zypp/packages/*',
  '/var/cache/pacman/pkg/*',
  '/var/log/journal/*',
  '/var/crash/*',
  '/var/lib/systemd/coredump/*',
  '/var/lib/imprint/*',
  // What an install puts beside the version, and the host partition that holds image files of versions.
  ...[
    '/usr/lib/imprint',
    '/usr/bin/imprint',
    '/etc/imprint/agent.yaml',
    '/etc/imprint/server.pub',
    '/etc/imprint/server-rules.json',
    '/etc/imprint/machine.key',
    '/etc/imprint/trust',
    '/etc/systemd/system/imprint-*.service',
    '/etc/kernel/*.d/zz-imprint',
    '/etc/initramfs/post-update.d/zz-imprint',
  ],
  ...['/etc/systemd/system/*.wants/imprint-*.service', '/hostpart/*', '/data0', '/.imprint'],
  '/lost+found/*',
];

interface Rule {
  leavesOut: boolean;
  directoriesOnly: boolean;
  pattern: RegExp;
}

/**
 * Globs: `*` and `?` stay within a name, `**` crosses `/`, `[a-z]` and `[!a-z]` are classes, `\` takes the next character
 * as it is. With `/` in front a glob starts at the root of the capture, otherwise at any depth. `/x/*` and `/x/**` leave
 * out what is in `/x` and keep the directory; `/x` leaves it out too; `/x/` does so only where it is a directory. `!` in
 * front takes back. Throws a `RangeError` that says what is wrong with a glob.
 */
export function parseExcludes(globs: readonly string[]): Excluder {
  const rules = globs.map(parseRule);
  return {
    excludes(path, isDirectory) {
      for (let index = rules.length - 1; index >= 0; index -= 1) {
        const rule = rules[index];
        if (rule?.pattern.test(path) && (isDirectory || !rule.directoriesOnly)) return rule.leavesOut;
      }
      return false;
    },
  };
}

/** A path as a glob that matches nothing else: each character that means something is taken as it is. */
export function globOfPath(path: RawPath): string {
  const text = Buffer.from(path, 'latin1').toString('utf8');
  return `/${text.replaceAll(/[\\*?[\]!]/g, '\\$&')}`;
}

/**
 * Directories (relative, raw) that need not be entered, because the globs leave out all that is in them: those that are
 * plain paths (`/opt`, `/var/tmp/*`). Only a help for whoever lists a tree: the excluder still decides. None where a glob takes back.
 */
export function plainDirectories(globs: readonly string[]): RawPath[] {
  if (globs.some((glob) => glob.startsWith('!'))) return [];
  return globs.flatMap((glob) => {
    const match = /^\/+([^*?[\\]+?)(?:\/+|\/\*{1,2})?$/.exec(glob);
    return match?.[1] === undefined ? [] : [rawPath(match[1])];
  });
}

function parseRule(glob: string): Rule {
  const leavesOut = !glob.startsWith('!');
  let body = rawPath(leavesOut ? glob : glob.slice(1)) as string;
  if (body === '' || body === '/') throw new RangeError(`the exclude “${glob}” names nothing`);
  if (body.includes('\0')) throw new RangeError('an exclude cannot hold a NUL');
  const anchored = body.startsWith('/');
  body = body.replace(/^\/+/, '');
  const directoriesOnly = body.endsWith('/');
  body = body.replace(/\/+$/, '');
  const source = `^${anchored ? '' : '(?:.*/)?'}${translate(body, glob)}$`;
  return { leavesOut, directoriesOnly, pattern: new RegExp(source, 's') };
}

/** One character of UTF-8 as latin1 bytes, or one byte of no valid character; never a slash. */
const anyCharacter = '(?:[\\xc2-\\xf4][\\x80-\\xbf]{1,3}|[^/])';

function translate(body: string, glob: string): string {
  let source = '';
  for (let at = 0; at < body.length; at += 1) {
    const unit = body[at] ?? '';
    if (unit === '*' && body[at + 1] === '*') {
      const slashAfter = body[at + 2] === '/';
      const wholeName = at === 0 || body[at - 1] === '/';
      // `a/**/b` also means `a/b`.
      source += wholeName && slashAfter ? '(?:.*/)?' : '.*';
      at += wholeName && slashAfter ? 2 : 1;
      if (source.endsWith('/.*') && at === body.length - 1) source = `${source.slice(0, -2)}.+`;
    } else if (unit === '*') {
      // A name is never empty: `/x/*` is not `/x/`.
      const alone = (at === 0 || body[at - 1] === '/') && (at === body.length - 1 || body[at + 1] === '/');
      source += alone ? '[^/]+' : '[^/]*';
    } else if (unit === '?') source += anyCharacter;
    else if (unit === '[') {
      const end = body.indexOf(']', body[at + 1] === '!' || body[at + 1] === ']' ? at + 3 : at + 2);
      if (end < 0) throw new RangeError(`the exclude “${glob}” has a [ without its ]`);
      const inside = body.slice(at + 1, end).replaceAll(/[\\\]^]/g, '\\$&');
      source += inside.startsWith('!') ? `(?!/)[^${inside.slice(1)}]` : `(?!/)[${inside}]`;
      at = end;
    } else if (unit === '\\' && at + 1 < body.length) {
      at += 1;
      source += literal(body[at] ?? '');
    } else source += literal(unit);
  }
  return source;
}

function literal(unit: string): string {
  return /[\w/]/.test(unit) ? unit : `\\x${unit.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
