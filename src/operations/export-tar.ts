import { compressBlocks } from './block-compressor.ts';
import type { ExportJob, ExportReport, WriteBytes } from './export-formats.ts';
import { writeTree } from './tar-tree.ts';

/** Writes a version as a pax archive with every attribute, compressed or not. */
export async function exportTar(job: ExportJob, write: WriteBytes): Promise<ExportReport> {
  let bytes = 0;
  const through = compressBlocks(job.input.compression ?? 'none', async (piece) => {
    await write(piece);
    bytes += piece.length;
  });
  const { entries, warnings } = await writeTree(job, through.write);
  await through.finish();
  return { entries, bytes, warnings };
}
