import { readFile } from 'node:fs/promises';
import { rootFileSystemSchema } from '../../contract/machine.ts';
import type { UsbMediaOutput } from '../../contract/operations/media.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { RootFileSystem } from '../../machine/root-file-system.ts';
import type { Invocation } from '../command.ts';
import { oneOf } from '../update-options.ts';

/** The options that media of every form take. Errors: `usage`. */
export async function mediumInput(invocation: Invocation) {
  const file = invocation.text('localCfg');
  const localConfig = file === undefined ? undefined : await readLocalConfig(file);
  const server = invocation.text('url');
  const kernelOptions = invocation.text('kernelOptions');
  const fileSystem = liveFileSystem(invocation);
  return {
    target: invocation.argument(0),
    images: invocation.list('image'),
    live: invocation.flag('live'),
    force: invocation.flag('force'),
    ...(fileSystem === undefined ? {} : { fileSystem }),
    ...(localConfig === undefined ? {} : { localConfig }),
    ...(server === undefined ? {} : { server }),
    ...(kernelOptions === undefined ? {} : { kernelOptions }),
  };
}

/** `--fs`. Error: `input-invalid`. */
export function liveFileSystem(invocation: Invocation): RootFileSystem | undefined {
  return oneOf('--fs', invocation.text('fs'), rootFileSystemSchema.options);
}

/** What it starts on, carries and asks. */
export function describeMedium({
  images,
  live,
  fileSystem,
  server,
  secureBoot,
}: Pick<UsbMediaOutput, 'images' | 'live' | 'fileSystem' | 'server' | 'secureBoot'>): string {
  const firmware = secureBoot ? 'BIOS, UEFI and Secure Boot' : 'BIOS and UEFI';
  const carries = images.length === 0 ? '' : `; carries ${images.map(({ image }) => image).join(', ')}`;
  const on = fileSystem === undefined ? '' : ` on ${fileSystem}`;
  const starts = live === undefined ? '' : `; starts ${live} live${on}`;
  const asks = server === undefined ? '' : `; asks ${server}`;
  return `for ${firmware}${starts}${carries}${asks}`;
}

async function readLocalConfig(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: Error) => {
    const problem = `${path} cannot be read: ${cause.message}`;
    throw new ImprintError('usage', { problem, hint: 'Name the file with the settings: --local-cfg FILE' }, { cause });
  });
}
