import type { ExportInput, ExportOutput } from '../contract/operations/exports.ts';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import type { Context } from './context.ts';
import { type ExportJob, type ExportReport, exportFormats } from './export-formats.ts';
import { openForWriting, writeToStdout, writingBeside } from './export-target.ts';

/**
 * Writes a version in another format. The target appears last, whole and durable; where anything fails there is nothing, or what
 * was there before.
 *
 * Errors: those of `exportOperation`, `read-only`, `io-failed`, `interrupted`.
 */
export async function exportImage(context: Context, input: ExportInput, task: Task): Promise<ExportOutput> {
  const definition = exportFormats[input.format];
  if (input.target === '-' && definition.kind !== 'stream') {
    throw new ImprintError('usage', {
      problem: `${input.format} cannot be written to stdout: it is not made from front to end.`,
      hint: 'Name a file or directory, or write a tar.',
    });
  }
  const store = await context.store();
  const version = await store.resolve(input.reference);
  const { image, number } = version.record;
  const digest = version.record.digest as Digest;
  const job: ExportJob = { store, version, digest, input, processes: context.processes, task };
  const report = await write(job);
  return {
    reference: `${image}:${number}`,
    digest,
    format: input.format,
    target: input.target,
    entries: report.entries,
    bytes: report.bytes,
    ...(report.manifestDigest === undefined ? {} : { manifestDigest: report.manifestDigest }),
    warnings: report.warnings,
  };
}

async function write(job: ExportJob): Promise<ExportReport> {
  const { input, task } = job;
  const definition = exportFormats[input.format];
  if (definition.kind === 'stream') {
    const exporter = await definition.load();
    if (input.target === '-') return exporter(job, writeToStdout);
    return writingBeside(input.target, 'file', input.force, task.signal, async (path) => {
      await using file = await openForWriting(path);
      return await exporter(job, file.write);
    });
  }
  const exporter = await definition.load();
  return writingBeside(input.target, definition.kind, input.force, task.signal, (path) => exporter(job, path));
}
