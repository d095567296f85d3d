import { type UsbMediaOutput, usbMediaInputSchema } from '../../contract/operations/media.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { checkLocalConfig } from '../../operations/media/imager-content.ts';
import { writeUsbMedium } from '../../operations/media/write-usb.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';
import { confirmDisk } from './key-words.ts';
import { describeMedium, mediumInput } from './medium-words.ts';

/** `imprint media usb TARGET`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const input = parseInput(usbMediaInputSchema, await mediumInput(invocation), { server: '--url' });
  const context = await session.context();
  await confirmDisk(session, context, input.target);
  if (session.globals.dryRun) {
    if (input.localConfig !== undefined) checkLocalConfig(input.localConfig);
    session.result({ dryRun: true, ...input }, () => `would write a medium with the imager to ${input.target}\n`);
    return;
  }
  const output = await session.task('make a USB medium', (task) => writeUsbMedium(context, input, task));
  for (const warning of output.warnings) session.warn(warning);
  session.result(output, () => describe(output));
}

function describe(output: UsbMediaOutput): string {
  const { target, device, bytes } = output;
  return [
    `${target}: ${formatBytes(bytes)}, ${describeMedium(output)}`,
    'Settings: local.cfg on its first visible partition (IMPRINT), in any editor.',
    ...(device ? [] : onto(target)),
    '',
  ].join('\n');
}

function onto(target: string): string[] {
  return [
    'Onto a stick (lsblk shows its name; everything on it is lost):',
    `  dd if=${target} of=/dev/sdX bs=4M conv=fsync status=progress`,
  ];
}
