import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, release, totalmem } from 'node:os';
import type { TreeSize } from './tree.ts';

/** One line of the table. `limit` is what the value must not exceed. */
export interface Row {
  name: string;
  own: number;
  peer?: number;
  limit: number;
  unit: 's CPU' | 'ms CPU' | 'MB' | 'MiB';
}

const begin = '<!-- bench: begin -->';
const end = '<!-- bench: end -->';

/** The table as Markdown. */
export function formatReport(rows: readonly Row[], tree: TreeSize & { runs: number }, machine: string): string {
  const number = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(2));
  const lines = rows.map(({ name, own, peer, limit, unit }) => {
    const times = peer === undefined ? '' : ` (× ${(own / peer).toFixed(2)})`;
    const cells = [
      name.replaceAll('|', '\\|'),
      `${number(own)} ${unit}${times}`,
      peer === undefined ? '' : `${number(peer)} ${unit}`,
      `${number(limit)} ${unit}`,
      own <= limit ? 'yes' : '**no**',
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const size = `${tree.files.toLocaleString('en')} files, ${(tree.bytes / 1e9).toFixed(2)} GB`;
  return [
    `${size}; medians of ${tree.runs}; ${machine}.`,
    '',
    '| | Imprint | peer | limit | reached |',
    '|---|---|---|---|---|',
    ...lines,
    '',
  ].join('\n');
}

/** The machine in words: processor, cores, memory, kernel, file system, versions of the peers. */
export function describeMachine(directory: string): string {
  const processor = /^model name\s*:\s*(.+)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown processor';
  const output = (command: string, args: string[]) => execFileSync(command, args, { encoding: 'utf8' }).trim();
  const tar = output('tar', ['--version']).split('\n')[0] ?? 'tar';
  const zstd = /v[\d.]+/.exec(output('zstd', ['--version']))?.[0] ?? '';
  const fileSystem = output('findmnt', ['-n', '-o', 'FSTYPE', '-T', directory]);
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `${processor}, ${availableParallelism()} cores, ${memory}, Linux ${release()}, ${fileSystem}, Node ${process.version}, ${tar}, zstd ${zstd}`;
}

/** Puts the table between the marks of a page. */
export function writeReport(page: string, report: string): void {
  const text = existsSync(page) ? readFileSync(page, 'utf8') : `${begin}\n${end}\n`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${page} has no place for the table (${begin} … ${end})`);
  writeFileSync(page, `${text.slice(0, from + begin.length)}\n${report}${text.slice(to)}`);
}
