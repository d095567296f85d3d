import { ImprintError } from '../foundation/errors.ts';
import type { Entry } from '../image/entry.ts';
import { dataLength, tarEnd, tarHeaders, tarPadding } from '../image/tar-writer.ts';
import { ChunkContents } from './chunk-contents.ts';
import type { ExportJob, WriteBytes } from './export-formats.ts';

const bufferSize = 1 << 20;

/**
 * Writes a version's tree as a pax archive, in the order of its manifest, with its end. `check` may refuse an entry by throwing. Returns
 * how many entries there are, and what the format cannot say as the version has it.
 */
export async function writeTree(
  job: ExportJob,
  write: WriteBytes,
  check: (entry: Entry) => void = () => {},
): Promise<{ entries: number; warnings: string[] }> {
  const { store, digest, task } = job;
  const contents = new ChunkContents(store, digest);
  const output = new GatheredBytes(write);
  let entries = 0;
  let sockets = 0;
  task.expect(job.version.record.stats.contentBytes, 'bytes');
  for await (const batch of store.entries(digest)) {
    task.signal.throwIfAborted();
    await contents.find(batch);
    for (const entry of batch) {
      check(entry);
      entries += 1;
      if (entry.type === 'socket') sockets += 1;
      await output.add(tarHeaders(entry));
      if (entry.type === 'file') await writeContent(entry, contents, output, job);
    }
  }
  await output.add(tarEnd);
  await output.flush();
  const warnings =
    sockets === 0 ? [] : [`tar knows no sockets: other programs than this will make ${sockets} of them as FIFOs`];
  for (const warning of warnings) task.warn(warning);
  return { entries, warnings };
}

async function writeContent(
  entry: Entry,
  contents: ChunkContents,
  output: GatheredBytes,
  job: ExportJob,
): Promise<void> {
  for (const chunk of entry.chunks ?? []) {
    job.task.signal.throwIfAborted();
    await output.add(await contents.read(chunk));
    job.task.advance(chunk.length);
  }
  const padding = tarPadding(dataLength(entry));
  if (padding > 0) await output.add(tarEnd.subarray(0, padding));
}

/** Gathers small pieces, so that what comes after is called once for a mebibyte. */
class GatheredBytes {
  readonly #write: WriteBytes;
  readonly #buffer = Buffer.alloc(bufferSize);
  #used = 0;

  constructor(write: WriteBytes) {
    this.#write = write;
  }

  async add(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + bufferSize - this.#used);
      this.#buffer.set(part, this.#used);
      this.#used += part.length;
      at += part.length;
      if (this.#used === bufferSize) await this.flush();
    }
  }

  async flush(): Promise<void> {
    if (this.#used > 0) await this.#write(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }
}

/** Refuses what an OCI layer would take as an order to remove something (https://github.com/opencontainers/image-spec, layer.md). */
export function refuseWhiteouts(reference: string): (entry: Entry) => void {
  return ({ path }) => {
    if (!path.startsWith('.wh.', path.lastIndexOf('/') + 1)) return;
    throw new ImprintError('export-unfit', {
      reference,
      format: 'an OCI image',
      problem: `/${path} would be taken as an order to remove a file`,
      hint: 'Write a tar instead: --format tar',
    });
  };
}
