import { z } from 'zod';
import { type KeyIso, keyIsoSchema } from '../../contract/operations/keys.ts';
import type { IsoPartition } from '../../system/iso-partition.ts';

/** What is known of the ISO files of a key, on the key: `imprint-key.json`. Advisory; what is there is what counts. */
const indexName = 'imprint-key.json';
/** The same checksums for everybody's tools. */
const sumsName = 'SHA256SUMS';
const indexSchema = z.object({ format: z.literal(1), isos: z.array(keyIsoSchema) });

/** ISO files that are on a key, in the order in which they were put there, with what is known of each. */
export async function readKeyIndex(partition: IsoPartition): Promise<KeyIso[]> {
  const files = await partition.files();
  const known = new Map((await readIndex(partition, files)).map((iso) => [iso.name, iso]));
  return files
    .filter(({ name }) => /\.iso$/i.test(name) && !name.startsWith('.'))
    .map(({ name, size }) => {
      const iso = known.get(name);
      return iso?.size === size ? iso : { name, size };
    });
}

/** Writes down what is known. */
export async function writeKeyIndex(partition: IsoPartition, isos: readonly KeyIso[]): Promise<void> {
  const known = isos.filter(({ sha256 }) => sha256 !== undefined);
  await partition.write(indexName, `${JSON.stringify({ format: 1, isos: known }, undefined, 1)}\n`);
  await partition.write(sumsName, known.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join(''));
}

async function readIndex(partition: IsoPartition, files: readonly { name: string; size: number }[]): Promise<KeyIso[]> {
  const file = files.find(({ name, size }) => name === indexName && size < 1 << 20);
  if (file === undefined) return [];
  const pieces: Buffer[] = [];
  for await (const piece of partition.read(file)) pieces.push(piece);
  try {
    return indexSchema.parse(JSON.parse(Buffer.concat(pieces).toString('utf8'))).isos;
  } catch {
    return [];
  }
}
