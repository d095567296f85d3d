import type { VersionListing } from '../../contract/image.ts';
import { displayPath, type RawPath } from '../../foundation/brand.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { showVersion } from '../../operations/list-versions.ts';
import type { Invocation } from '../command.ts';
import { formatAgo, formatDate } from '../format-time.ts';
import { printFields } from '../print-table.ts';
import type { Session } from '../session.ts';
import { expiryWords } from './trust-words.ts';

const listLimit = 12;

/** `imprint image show REF`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const listing = await showVersion(await session.context(), { reference: invocation.argument(0) });
  session.result(listing, () => describe(listing, session));
}

function describe(
  { record, tags, signedBy, signers, withdrawn, liveSources }: VersionListing,
  session: Session,
): string {
  const { source, stats } = record;
  const created = Date.parse(record.created);
  const count = (value: number) => value.toLocaleString('en-GB');
  const disks = source.disks.map((disk) => {
    const parts = disk.partitions.map((part) => part.mountPoint ?? part.fileSystem ?? 'unused').join(', ');
    return `${disk.name}: ${formatBytes(disk.size)}, ${disk.label}${parts ? ` (${parts})` : ''}`;
  });
  const fileSystems = source.fileSystems.map(
    (each) => `${each.mountPoint}  ${each.type}${session.stdout.paint('dim', note(each))}`,
  );
  const keys = signers === undefined ? `key ${signedBy}` : `keys ${signers.join(', ')}`;
  const key = signedBy === undefined ? session.stdout.paint('yellow', 'nobody: machines refuse it') : keys;
  return printFields(session.stdout, [
    ['version', session.stdout.paint('bold', `${record.image}:${record.number}`)],
    ['tags', tags.join(' ')],
    ['digest', record.digest],
    ['captured', `${formatAgo(created, session.clock.now())} (${formatDate(created)})`],
    ['from', source.location],
    ['message', record.message],
    ['signed by', key],
    ['withdrawn', withdrawn ? session.stdout.paint('yellow', 'by a later version: machines refuse it') : undefined],
    ['good until', record.expires === undefined ? undefined : expiryWords(session, record.expires)],
    ['floor', record.floor === undefined ? undefined : `${record.image}:${record.floor}; what is below is withdrawn`],
    ['parent', record.parent],
    ['host name', source.hostName],
    ['system', source.system?.name],
    [
      source.kernel === undefined ? 'architecture' : 'kernel',
      [source.kernel, source.architecture].filter((each) => each !== undefined).join(' '),
    ],
    ['boot', source.bootMode === 'unknown' ? undefined : source.bootMode.toUpperCase()],
    ['options', source.kernelOptions],
    ['disks', disks.join('\n')],
    ['file systems', fileSystems.join('\n')],
    [
      'holds',
      record.live && `${record.live.image}:${record.live.number} as ${record.live.fileSystem}, for live systems`,
    ],
    ['size', record.live && formatBytes(record.live.size)],
    ['UUID', record.live?.uuid],
    ['live', liveSources?.join(' ')],
    ['entries', `${count(stats.entries)}, of which ${count(stats.files)} files`],
    [
      'content',
      `${formatBytes(stats.contentBytes)}${stats.logicalBytes > stats.contentBytes ? ` (${formatBytes(stats.logicalBytes)} with holes and hard links)` : ''}`,
    ],
    [
      'added',
      `${formatBytes(stats.newBytes)} in ${count(stats.newChunks)} ${stats.newChunks === 1 ? 'chunk' : 'chunks'}`,
    ],
    ['excluded', few(record.excluded)],
    ['scrubbed', few(record.scrubbed)],
    ['warnings', few(record.warnings)],
  ]);
}

/** What a file system was captured from, where that is known. */
function note({ captured, consistency }: { captured: boolean; consistency?: string | undefined }): string {
  if (!captured) return '  (left out)';
  return consistency === undefined ? '' : `  (${consistency === 'live' ? 'read live' : consistency.replace('-', ' ')})`;
}

function few(lines: readonly string[]): string {
  const shown = lines.slice(0, listLimit).map((line) => displayPath(line as RawPath));
  return [...shown, ...(lines.length > listLimit ? [`… and ${lines.length - listLimit} more (--json)`] : [])].join(
    '\n',
  );
}
