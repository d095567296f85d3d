import { imageVersions } from '../../contract/operations/images.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { listVersions } from '../../operations/list-versions.ts';
import type { Invocation } from '../command.ts';
import { formatAgo, formatDate } from '../format-time.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';

/** `imprint image log IMAGE`: as `git log` tells it. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const input = parseInput(imageVersions.input, { image: invocation.argument(0) });
  const { versions } = await listVersions(await session.context(), input);
  const newest = versions.toReversed();
  session.result({ versions: newest }, () => {
    const { paint } = session.stdout;
    const blocks = newest.map(({ record, tags }) => {
      const created = Date.parse(record.created);
      const names = tags.length > 0 ? ` ${paint('cyan', `(${tags.join(', ')})`)}` : '';
      const head = `${paint('yellow', `version ${record.number}`)}${names}  ${paint('dim', record.digest)}`;
      const when = `${formatDate(created)}, ${formatAgo(created, session.clock.now())}`;
      const lines = [`From: ${record.source.location}`, `Date: ${when}`, `Adds: ${formatBytes(record.stats.newBytes)}`];
      const message =
        record.message === undefined ? [] : ['', ...record.message.split('\n').map((line) => `    ${line}`)];
      const warnings = record.warnings.length > 0 ? [paint('yellow', `${record.warnings.length} warnings`)] : [];
      return [head, ...lines, ...warnings, ...message].map((line) => `${line}\n`).join('');
    });
    return blocks.join('\n');
  });
}
