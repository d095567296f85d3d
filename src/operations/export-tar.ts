import { ImprintError } from '../foundation/errors.ts';
import type { ExportJob, ExportReport, WriteBytes } from './export-formats.ts';

/** Writes a version as a tar archive. */
export async function exportTar(_job: ExportJob, _write: WriteBytes): Promise<ExportReport> {
  throw new ImprintError('internal', { problem: 'the tar export is not written yet' });
}
