import { type KeyCreateOutput, keyCreateInputSchema } from '../../contract/operations/keys.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { createKey } from '../../operations/keys/create-key.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';
import { confirmDisk, sizeOption } from './key-words.ts';

/** `imprint key create TARGET`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const server = invocation.text('url');
  const size = sizeOption(invocation.text('size'));
  const input = parseInput(keyCreateInputSchema, {
    target: invocation.argument(0),
    persistence: sizeOption(invocation.text('persistence')) ?? 0,
    // Commander turns --no-imager into a true that becomes false.
    imager: invocation.flag('imager'),
    force: invocation.flag('force'),
    ...(size === undefined ? {} : { size }),
    ...(server === undefined ? {} : { server }),
  });
  const context = await session.context();
  await confirmDisk(session, context, input.target);
  if (session.globals.dryRun) {
    session.result({ dryRun: true, ...input }, () => `would make a key of ${input.target}\n`);
    return;
  }
  const output = await session.task('make a key', (task) => createKey(context, input, task));
  session.result(output, () => describe(output));
}

function describe(output: KeyCreateOutput): string {
  const { target, device, room, imager, secureBoot, persistence, memtest } = output;
  const firmware = secureBoot
    ? 'BIOS, UEFI and Secure Boot'
    : 'BIOS and UEFI (no Secure Boot: shim-signed and grub-efi-amd64-signed are not installed here)';
  const parts = [
    `${formatBytes(room)} for ISO files`,
    ...(persistence > 0 ? [`${formatBytes(persistence)} for what live systems keep`] : []),
    imager ? 'our imager' : 'no imager (imprint media netboot makes one)',
    ...(memtest ? ['a memory test'] : []),
  ];
  const next = device
    ? `Put something onto it: imprint key add ${target} FILE.iso`
    : `Put something onto it: imprint key add ${target} FILE.iso. Onto a stick: dd if=${target} of=/dev/sdX bs=4M conv=fsync, then imprint key grow /dev/sdX`;
  return `${target} is a key for ${firmware}: ${parts.join(', ')}\n${next}\n`;
}
