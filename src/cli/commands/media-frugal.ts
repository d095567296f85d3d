import { type FrugalMediaOutput, frugalMediaInputSchema } from '../../contract/operations/media.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { removeFrugal, writeFrugal } from '../../operations/media/write-frugal.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';
import { oneOf } from '../update-options.ts';
import { sizeOption } from './key-words.ts';
import { liveFileSystem } from './medium-words.ts';

/** `imprint media frugal TARGET`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const [image, kernelOptions] = [invocation.text('image'), invocation.text('kernelOptions')];
  const changes = sizeOption(invocation.text('changes'));
  const fileSystem = liveFileSystem(invocation);
  const input = parseInput(frugalMediaInputSchema, {
    target: invocation.argument(0),
    ...(image === undefined ? {} : { image }),
    ...(fileSystem === undefined ? {} : { fileSystem }),
    ...(changes === undefined ? {} : { changes }),
    ...(kernelOptions === undefined ? {} : { kernelOptions }),
    entry: oneOf('--entry', invocation.text('entry'), ['grub', 'none']) !== 'none',
    force: invocation.flag('force'),
    remove: invocation.flag('remove'),
  });
  if (process.getuid?.() !== 0)
    throw new ImprintError('not-root', { action: 'Putting a live system onto a partition' });
  const context = await session.context();
  if (session.globals.dryRun) {
    const what = input.remove ? 'remove the live system from' : `put ${input.image} onto`;
    session.result({ dryRun: true, ...input }, () => `would ${what} ${input.target}\n`);
    return;
  }
  if (input.remove) {
    await session.confirm(
      'Removing a live system',
      `Remove the live system of ${input.target}, with all that it kept?`,
    );
    const output = await removeFrugal(context, input);
    session.result(output, () => `${output.directory} is gone: ${formatBytes(output.bytes)} are free again\n`);
    return;
  }
  const output = await session.task('put a live system onto a partition', (task) => writeFrugal(context, input, task));
  session.result(output, () => describe(output));
}

function describe({ directory, path, uuid, image, bytes, changes, entry }: FrugalMediaOutput): string {
  const kept =
    changes === undefined ? 'What it writes is forgotten.' : `It keeps ${formatBytes(changes)} of what it writes.`;
  const starts =
    entry === undefined
      ? [
          'Started by: imprint boot menu, where Imprint installed the machine or made its menu; any other GRUB:',
          `  search --no-floppy --fs-uuid --set=root ${uuid}`,
          `  configfile ${path}/grub.cfg`,
        ]
      : [`Started by this machine’s boot menu (${entry}): “${image}, live”.`];
  return [`${directory}: ${image}, ${formatBytes(bytes)}. ${kept}`, ...starts, ''].join('\n');
}
