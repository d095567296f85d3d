import { readFile } from 'node:fs/promises';
import { type UsbMediaOutput, usbMediaInputSchema } from '../../contract/operations/media.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { checkLocalConfig, writeUsbMedium } from '../../operations/media/write-usb.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';
import { confirmDisk } from './key-words.ts';

/** `imprint media usb TARGET`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const file = invocation.text('localCfg');
  const localConfig = file === undefined ? undefined : await readLocalConfig(file);
  const server = invocation.text('url');
  const kernelOptions = invocation.text('kernelOptions');
  const input = parseInput(usbMediaInputSchema, {
    target: invocation.argument(0),
    images: invocation.list('image'),
    force: invocation.flag('force'),
    ...(localConfig === undefined ? {} : { localConfig }),
    ...(server === undefined ? {} : { server }),
    ...(kernelOptions === undefined ? {} : { kernelOptions }),
  });
  const context = await session.context();
  if (session.globals.dryRun) {
    if (localConfig !== undefined) checkLocalConfig(localConfig);
    session.result({ dryRun: true, ...input }, () => `would write a medium with the imager to ${input.target}\n`);
    return;
  }
  await confirmDisk(session, context, input.target);
  const output = await session.task('make a USB medium', (task) => writeUsbMedium(context, input, task));
  for (const warning of output.warnings) session.warn(warning);
  session.result(output, () => describe(output));
}

/** Text of a file that people name. Errors: `usage`. */
async function readLocalConfig(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: Error) => {
    const problem = `${path} cannot be read: ${cause.message}`;
    throw new ImprintError('usage', { problem, hint: 'Name the file with the settings: --local-cfg FILE' }, { cause });
  });
}

function describe(output: UsbMediaOutput): string {
  const { target, device, bytes, images, server, secureBoot } = output;
  const firmware = secureBoot ? 'BIOS, UEFI and Secure Boot' : 'BIOS and UEFI';
  const carries = images.length === 0 ? '' : `; carries ${images.map(({ image }) => image).join(', ')}`;
  const asks = server === undefined ? '' : `; asks ${server}`;
  return [
    `${target}: ${formatBytes(bytes)}, for ${firmware}${carries}${asks}`,
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
