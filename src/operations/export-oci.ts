import { ImprintError } from '../foundation/errors.ts';
import type { ExportJob, ExportReport } from './export-formats.ts';

/** Writes a version as an OCI image layout in one tar file. */
export async function exportOciArchive(_job: ExportJob, _path: string): Promise<ExportReport> {
  throw new ImprintError('internal', { problem: 'the OCI export is not written yet' });
}

/** Writes a version as an OCI image layout in a directory. */
export async function exportOciDirectory(_job: ExportJob, _path: string): Promise<ExportReport> {
  throw new ImprintError('internal', { problem: 'the OCI export is not written yet' });
}
