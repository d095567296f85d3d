import { readFile } from 'node:fs/promises';
import type { UsbMediaOutput } from '../../contract/operations/media.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Invocation } from '../command.ts';

/** The options that media of every form take. Errors: `usage`. */
export async function mediumInput(invocation: Invocation) {
  const file = invocation.text('localCfg');
  const localConfig = file === undefined ? undefined : await readLocalConfig(file);
  const server = invocation.text('url');
  const kernelOptions = invocation.text('kernelOptions');
  return {
    target: invocation.argument(0),
    images: invocation.list('image'),
    live: invocation.flag('live'),
    force: invocation.flag('force'),
    ...(localConfig === undefined ? {} : { localConfig }),
    ...(server === undefined ? {} : { server }),
    ...(kernelOptions === undefined ? {} : { kernelOptions }),
  };
}

/** What it starts on, carries and asks. */
export function describeMedium({
  images,
  live,
  server,
  secureBoot,
}: Pick<UsbMediaOutput, 'images' | 'live' | 'server' | 'secureBoot'>): string {
  const firmware = secureBoot ? 'BIOS, UEFI and Secure Boot' : 'BIOS and UEFI';
  const carries = images.length === 0 ? '' : `; carries ${images.map(({ image }) => image).join(', ')}`;
  const starts = live === undefined ? '' : `; starts ${live} live`;
  const asks = server === undefined ? '' : `; asks ${server}`;
  return `for ${firmware}${starts}${carries}${asks}`;
}

async function readLocalConfig(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: Error) => {
    const problem = `${path} cannot be read: ${cause.message}`;
    throw new ImprintError('usage', { problem, hint: 'Name the file with the settings: --local-cfg FILE' }, { cause });
  });
}
