import type { VersionListing } from '../../contract/image.ts';
import { imageVersions } from '../../contract/operations/images.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { listVersions } from '../../operations/list-versions.ts';
import type { Invocation } from '../command.ts';
import { formatAgo } from '../format-time.ts';
import { parseInput } from '../parse-input.ts';
import { printTable } from '../print-table.ts';
import type { Session } from '../session.ts';

/** `imprint images [IMAGE] [--all]`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const image = invocation.optionalArgument(0);
  const output = await listVersions(
    await session.context(),
    parseInput(imageVersions.input, image === undefined ? {} : { image }),
  );
  const all = image !== undefined || invocation.flag('all');
  session.result(output, () => {
    if (output.versions.length === 0) return 'There is no image yet. Make one: imprint capture SOURCE --name IMAGE\n';
    const counts = Map.groupBy(output.versions, ({ record }) => record.image);
    const shown = [...counts.values()].flatMap((versions) => (all ? versions.toReversed() : versions.slice(-1)));
    return printTable(
      session.stdout,
      [
        { title: 'IMAGE' },
        { title: 'VERSION', align: 'right' },
        { title: 'TAGS', shrink: true },
        { title: 'CAPTURED' },
        { title: 'SYSTEM' },
        { title: 'CONTENT', align: 'right' },
        { title: 'ADDED', align: 'right' },
        { title: 'SIGNED' },
      ],
      shown.map((version) => row(version, session)),
    );
  });
}

function row({ record, tags, signedBy, withdrawn }: VersionListing, session: Session): string[] {
  const { paint } = session.stdout;
  const expired = record.expires !== undefined && Date.parse(record.expires) <= session.clock.now();
  const signed = signedBy === undefined ? 'no' : withdrawn ? 'withdrawn' : expired ? 'expired' : 'yes';
  return [
    paint('bold', record.image),
    String(record.number),
    tags.join(' ') || paint('dim', '–'),
    formatAgo(Date.parse(record.created), session.clock.now()),
    record.source.system === undefined ? '' : `${record.source.system.id} ${record.source.system.version ?? ''}`.trim(),
    formatBytes(record.stats.contentBytes),
    formatBytes(record.stats.newBytes),
    signed === 'yes' ? signed : paint('yellow', signed),
  ];
}
