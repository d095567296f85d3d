import { imageEntries, type ListedEntry } from '../../contract/operations/images.ts';
import { Task } from '../../foundation/task.ts';
import { listEntries } from '../../operations/list-entries.ts';
import type { Invocation } from '../command.ts';
import { formatDate } from '../format-time.ts';
import { LineWriter } from '../line-writer.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';
import type { Style, Terminal } from '../terminal.ts';

/** `imprint image ls [-lRd] REF [PATH]`; with `--json` one `ListedEntry` a line. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const path = invocation.optionalArgument(1);
  const recursive = invocation.flag('recursive');
  const input = parseInput(imageEntries.input, {
    reference: invocation.argument(0),
    ...(path === undefined ? {} : { path }),
    recursive,
    directory: invocation.flag('directory'),
  });
  const long = invocation.flag('long');
  using out = new LineWriter(session.stdout);
  for await (const batch of listEntries(await session.context(), input, Task.silent(session.signal))) {
    for (const entry of batch) {
      if (session.globals.json) out.line(JSON.stringify(entry));
      else if (long) out.line(longLine(entry, recursive, session.stdout));
      else out.line(nameOf(entry, recursive, session.stdout));
    }
  }
}

const letters: Record<ListedEntry['type'], string> = {
  file: '-',
  hardlink: '-',
  directory: 'd',
  symlink: 'l',
  character: 'c',
  block: 'b',
  fifo: 'p',
  socket: 's',
};
const styles: Partial<Record<ListedEntry['type'], Style>> = {
  directory: 'blue',
  symlink: 'cyan',
  fifo: 'yellow',
  socket: 'yellow',
  block: 'yellow',
  character: 'yellow',
};

/** As `ls -l`: the mark behind the mode is `+` for an ACL, `@` for other extended attributes. */
function longLine(entry: ListedEntry, full: boolean, terminal: Terminal): string {
  const names = Object.keys(entry.xattrs ?? {});
  const mark = names.some((name) => name.startsWith('system.posix_acl')) ? '+' : names.length > 0 ? '@' : ' ';
  const device = entry.major !== undefined ? `${entry.major}, ${entry.minor ?? 0}` : undefined;
  const size = device ?? String(entry.size ?? 0);
  const time = formatDate(entry.mtime.seconds * 1000);
  const arrow =
    entry.target === undefined
      ? ''
      : entry.type === 'hardlink'
        ? terminal.paint('dim', ` = /${entry.target}`)
        : ` ${terminal.plain('→')} ${entry.target}`;
  const owner = `${String(entry.uid).padStart(5)} ${String(entry.gid).padStart(5)}`;
  return `${letters[entry.type]}${modeText(entry.mode)}${mark} ${owner} ${size.padStart(11)} ${time} ${nameOf(entry, full, terminal)}${arrow}`;
}

function nameOf(entry: ListedEntry, full: boolean, terminal: Terminal): string {
  const name = full ? entry.path : entry.path.slice(entry.path.lastIndexOf('/') + 1);
  const style = styles[entry.type] ?? (/[1357]/.test(entry.mode.slice(1)) ? 'green' : undefined);
  return style === undefined ? name : terminal.paint(style, name);
}

/** `4755` → `rwsr-xr-x`. */
export function modeText(mode: string): string {
  const bits = Number.parseInt(mode, 8);
  const special = bits >> 9;
  const marks = ['s', 's', 't'];
  return [6, 3, 0]
    .map((shift, index) => {
      const three = (bits >> shift) & 7;
      const run = (three & 1) !== 0;
      const set = (special & (4 >> index)) !== 0;
      const mark = marks[index] ?? 's';
      const last = set ? (run ? mark : mark.toUpperCase()) : run ? 'x' : '-';
      return `${three & 4 ? 'r' : '-'}${three & 2 ? 'w' : '-'}${last}`;
    })
    .join('');
}
