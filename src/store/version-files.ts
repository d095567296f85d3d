import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { versionRecordSchema } from '../contract/image.ts';
import { type Digest, isDigest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { parseCanonicalJson } from '../image/canonical-json.ts';
import { FormatError } from '../image/format-error.ts';
import { parseSignatures } from '../image/signature.ts';
import { ifThere } from './directory-files.ts';
import { recordPath, signaturePath, tagPath } from './layout.ts';
import type { StoredVersion } from './store.ts';
import type { StoreFiles } from './store-files.ts';
import { fileHash, type VersionIndex } from './store-index.ts';

const recordLimit = 64 << 20;
const smallLimit = 1 << 16;

/** What a tag file says. */
export interface TagTarget {
  number: number;
  digest: Digest;
}

/**
 * A version from its files, held against what is known of it. Throws `corrupt-record`; gives undefined where there is no
 * such record.
 */
export async function readVersion(
  files: StoreFiles,
  image: string,
  number: number,
  tags: string[],
  index?: VersionIndex,
): Promise<StoredVersion | undefined> {
  const path = recordPath(image, number);
  return guarded(files, path, async () => {
    const bytes = await files.read(path, recordLimit);
    if (bytes === undefined) return undefined;
    if (index !== undefined && index.record !== fileHash(bytes))
      throw new FormatError('it does not match its checksum in index.json');
    const parsed = versionRecordSchema.safeParse(parseCanonicalJson(bytes));
    if (!parsed.success) throw new FormatError(`it is not a version record (${parsed.error.issues[0]?.message})`);
    const record = parsed.data;
    if (record.image !== image || record.number !== number)
      throw new FormatError(`it says that it is ${record.image}:${record.number}`);
    const signature = await readSignature(files, image, number);
    return { record, recordText: bytes.toString('utf8'), ...(signature === undefined ? {} : { signature }), tags };
  });
}

async function readSignature(files: StoreFiles, image: string, number: number): Promise<string | undefined> {
  const path = signaturePath(image, number);
  return guarded(files, path, async () => {
    const bytes = await files.read(path, smallLimit);
    if (bytes === undefined) return undefined;
    const text = bytes.toString('utf8');
    parseSignatures(text);
    return text;
  });
}

/** The files of a store that are a version's own, as they lie in any store that has it: record, signature, tags. By their paths. */
export function versionTexts({ record, recordText, signature, tags }: StoredVersion): Map<string, string> {
  const { image, number } = record;
  const texts = new Map([[recordPath(image, number), recordText]]);
  if (signature !== undefined) texts.set(signaturePath(image, number), signature);
  for (const tag of tags) texts.set(tagPath(image, tag), formatTag({ number, digest: record.digest as Digest }));
  return texts;
}

/** Paths of the documents that say whom a store's readers may trust, below its directory. */
export async function trustFiles(directory: string): Promise<string[]> {
  const names = (await ifThere(readdir(join(directory, 'trust')))) ?? [];
  return names.filter((name) => /^\d+\.json(\.minisig)?$/.test(name)).map((name) => `trust/${name}`);
}

/** The text of a tag file. */
export function formatTag({ number, digest }: TagTarget): string {
  return `${number} ${digest}\n`;
}

/** Where a tag points. Throws `corrupt-record`; undefined where there is no such tag. */
export async function readTag(files: StoreFiles, image: string, tag: string): Promise<TagTarget | undefined> {
  const path = tagPath(image, tag);
  return guarded(files, path, async () => {
    const bytes = await files.read(path, smallLimit);
    if (bytes === undefined) return undefined;
    const match = /^([1-9]\d{0,8}) (sha256:[0-9a-f]{64})\n$/.exec(bytes.toString('latin1'));
    const [, number, digest] = match ?? [];
    if (number === undefined || digest === undefined || !isDigest(digest)) throw new FormatError('it is not a tag');
    return { number: Number(number), digest };
  });
}

/** Runs `work`, whose `FormatError`s are about the small file at `path`. */
export async function guarded<Result>(files: StoreFiles, path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new ImprintError(
      'corrupt-record',
      { record: path, store: files.location, problem: error.message },
      { cause: error },
    );
  }
}
