import { type ExportOutput, exportInputSchema } from '../../contract/operations/exports.ts';
import { formatBytes, parseBytes } from '../../foundation/bytes.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { exportFormats, formatOfTarget } from '../../operations/export-formats.ts';
import { exportImage } from '../../operations/export-image.ts';
import { showVersion } from '../../operations/list-versions.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';

/** `imprint image export REF TARGET`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const named = formatOfTarget(invocation.argument(1));
  const format = invocation.text('format') ?? named?.format;
  if (format === undefined) {
    throw new ImprintError('usage', {
      problem: `What is ${invocation.argument(1)} to be? Its name does not say.`,
      hint: `Add --format: ${Object.keys(exportFormats).join(', ')}`,
    });
  }
  const target = named?.target ?? invocation.argument(1);
  const compression = invocation.text('compress') ?? compressionOfName(target);
  const size = invocation.text('size');
  const bytes = size === undefined ? undefined : parseBytes(size);
  if (size !== undefined && bytes === undefined) {
    throw new ImprintError('usage', { problem: `“${size}” is no size.`, hint: 'Write 20G or 8000M.' });
  }
  const kernelOptions = invocation.text('kernelOptions');
  const input = parseInput(exportInputSchema, {
    reference: invocation.argument(0),
    target,
    format: format as keyof typeof exportFormats,
    force: invocation.flag('force'),
    ...(compression === undefined ? {} : { compression: compression as 'none' }),
    ...(bytes === undefined ? {} : { size: bytes }),
    ...(kernelOptions === undefined ? {} : { kernelOptions }),
  });
  if (input.target === '-' && (session.globals.json || process.stdout.isTTY)) {
    throw new ImprintError('usage', {
      problem: 'The archive itself goes to stdout: there is no JSON of it, and a terminal cannot show it.',
      hint: `Send it on: imprint image export ${input.reference} - | ssh HOST tar -xp`,
    });
  }
  const context = await session.context();
  if (session.globals.dryRun) {
    const { record } = await showVersion(context, { reference: input.reference });
    const words = `would write ${record.image}:${record.number} (${formatBytes(record.stats.contentBytes)}) as ${input.format} to ${input.target}\n`;
    session.result({ dryRun: true, ...input, digest: record.digest }, () => words);
    return;
  }
  const output = await session.task(`export ${input.reference}`, (task) => exportImage(context, input, task));
  if (input.target !== '-') session.result(output, () => describe(output));
}

function compressionOfName(target: string): string | undefined {
  if (/\.(tar\.gz|tgz)$/.test(target)) return 'gzip';
  return /\.(tar\.zst|tzst)$/.test(target) ? 'zstd' : undefined;
}

function describe(output: ExportOutput): string {
  const count = output.entries.toLocaleString('en-GB');
  const manifest = output.manifestDigest === undefined ? '' : `; its manifest is ${output.manifestDigest}`;
  return `${output.reference} is in ${output.target}: ${count} entries, ${formatBytes(output.bytes)}${manifest}\n`;
}
