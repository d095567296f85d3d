import { type KeyListOutput, keyListInputSchema } from '../../contract/operations/keys.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { listKey } from '../../operations/keys/list-key.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import { printTable } from '../print-table.ts';
import type { Session } from '../session.ts';
import { freeWords } from './key-words.ts';

/** `imprint key list KEY`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const input = parseInput(keyListInputSchema, { key: invocation.argument(0), verify: invocation.flag('verify') });
  const context = await session.context();
  const output = await session.task(`look at ${input.key}`, (task) => listKey(context, input, task));
  session.result(output, () => {
    const rows = output.isos.map((iso) => [
      iso.name,
      formatBytes(iso.size),
      iso.familyName ?? '?',
      starts(iso),
      whole(iso),
    ]);
    const titles = [
      { title: 'ISO', shrink: true },
      { title: 'SIZE', align: 'right' as const },
      { title: 'FAMILY' },
      { title: 'STARTS ON' },
      { title: 'WHOLE' },
    ];
    const table = rows.length === 0 ? 'no ISO files\n' : printTable(session.stdout, titles, rows);
    return `${table}${output.key}: ${freeWords(output.free, output.unused)}\n`;
  });
  const broken = output.isos.find(({ intact }) => intact === false);
  if (broken !== undefined) {
    throw new ImprintError('iso-corrupt', {
      iso: broken.name,
      problem: 'its checksum on the key is no longer what it was',
    });
  }
}

type Iso = KeyListOutput['isos'][number];

function starts({ firmware, secureBoot }: Iso): string {
  if (firmware === undefined || firmware.length === 0) return 'nothing';
  const names = firmware.map((each) => each.toUpperCase()).join(', ');
  // Said only where it is known: most people have it on.
  return secureBoot === undefined ? names : `${names}${secureBoot ? ', Secure Boot' : '; not under Secure Boot'}`;
}

function whole({ intact, sha256, proof }: Iso): string {
  if (intact !== undefined) return intact ? 'yes, read now' : 'NO';
  if (sha256 === undefined) return '?';
  return proof?.signature !== undefined
    ? 'signed'
    : proof?.checksum !== undefined
      ? 'by its checksum'
      : 'as it was copied';
}
