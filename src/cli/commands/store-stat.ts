import { formatBytes } from '../../foundation/bytes.ts';
import { statStore } from '../../operations/stat-store.ts';
import type { Invocation } from '../command.ts';
import { printFields } from '../print-table.ts';
import type { Session } from '../session.ts';

/** `imprint store stat`. */
export async function run(session: Session, _invocation: Invocation): Promise<void> {
  const output = await statStore(await session.context());
  session.result(output, () => {
    const ratio =
      output.packBytes > 0 ? ` (${(output.contentBytes / output.packBytes).toFixed(1)} times that as plain files)` : '';
    return printFields(session.stdout, [
      ['store', output.location],
      ['images', String(output.images)],
      ['versions', String(output.versions)],
      ['packs', `${output.packs}, ${formatBytes(output.packBytes)}${ratio}`],
      ['manifests', formatBytes(output.manifestBytes)],
      ['free', output.freeBytes === undefined ? undefined : formatBytes(output.freeBytes)],
    ]);
  });
}
