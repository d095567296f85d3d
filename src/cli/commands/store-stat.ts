import type { VersionUsage } from '../../contract/operations/store.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { statStore } from '../../operations/stat-store.ts';
import type { Invocation } from '../command.ts';
import { formatAgo } from '../format-time.ts';
import { printFields, printTable } from '../print-table.ts';
import type { Session } from '../session.ts';

/** `imprint store stat`. */
export async function run(session: Session, _invocation: Invocation): Promise<void> {
  const context = await session.context();
  const output = await session.task('measure the store', (task) => statStore(context, task));
  session.result(output, () => {
    const ratio = (bytes: number, of: number) => (of > 0 ? ` (${(bytes / of).toFixed(1)} times less)` : '');
    const fields = printFields(session.stdout, [
      ['store', output.location],
      ['images', String(output.images)],
      ['versions', String(output.versions)],
      ['as plain files', formatBytes(output.contentBytes)],
      ['each content once', `${formatBytes(output.uniqueBytes)}${ratio(output.contentBytes, output.uniqueBytes)}`],
      ['compressed', `${formatBytes(output.storedBytes)}${ratio(output.contentBytes, output.storedBytes)}`],
      ['packs', `${output.packs}, ${formatBytes(output.packBytes)}`],
      ['nobody needs', formatBytes(output.unneededBytes)],
      ['manifests', formatBytes(output.manifestBytes)],
      ['free', output.freeBytes === undefined ? undefined : formatBytes(output.freeBytes)],
    ]);
    return output.perVersion.length === 0 ? fields : `${fields}\n${table(output.perVersion, session)}`;
  });
}

function table(versions: readonly VersionUsage[], session: Session): string {
  return printTable(
    session.stdout,
    [
      { title: 'VERSION' },
      { title: 'CAPTURED' },
      { title: 'CONTENT', align: 'right' },
      { title: 'ADDS', align: 'right' },
      { title: 'COMPRESSED', align: 'right' },
      { title: 'ITS OWN', align: 'right' },
    ],
    versions.map((version) => [
      version.reference,
      formatAgo(Date.parse(version.created), session.clock.now()),
      formatBytes(version.contentBytes),
      formatBytes(version.addedBytes),
      formatBytes(version.addedStoredBytes),
      formatBytes(version.ownStoredBytes),
    ]),
  );
}
