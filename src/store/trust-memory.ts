import { hash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { imageNameSchema, versionRecordSchema } from '../contract/image.ts';
import { ImprintError } from '../foundation/errors.ts';
import { canonicalJson, parseCanonicalJson } from '../image/canonical-json.ts';
import { FormatError } from '../image/format-error.ts';
import { parseSignatures } from '../image/signature.ts';
import { parseTrustDocument, type TrustDocument } from '../image/trust-document.ts';
import { writeFilesDurably } from './durable.ts';
import { makeDirectories } from './make-directories.ts';
import type { Evidence, TrustMemory } from './version-guard.ts';

/** A memory in files, with what `trust show` asks it. */
export interface FileMemory extends TrustMemory {
  readonly directory: string;
  allSeen(): Promise<Evidence[]>;
}

/**
 * What was seen, in `DIRECTORY/<id>`, a directory for each beginning of trust: what one chain of documents has shown must not count
 * against another. A place that may not be written (another user's) is read only: what is seen is then remembered for this run.
 * Errors: `trust-wrong` where a file in it is damaged.
 */
export function openTrustMemory(directory: string, start: TrustDocument): FileMemory {
  const place = join(directory, memoryName(start));
  const documentFile = join(place, 'document.json');
  const recordFile = (image: string) => join(place, 'seen', `${image}.json`);
  /** What could not be written. */
  const unwritten: { document?: TrustDocument; seen: Map<string, Evidence> } = { seen: new Map() };
  const seen = async (image: string): Promise<Evidence | undefined> => {
    const later = unwritten.seen.get(image);
    return later ?? readEvidence(recordFile(image), image);
  };
  return {
    directory: place,
    document: async () => {
      if (unwritten.document !== undefined) return unwritten.document;
      const text = await readIfThere(documentFile);
      return text === undefined ? undefined : parsing(documentFile, () => parseTrustDocument(text));
    },
    keepDocument: async (document) => {
      if (!(await tryWriting(place, [{ path: documentFile, content: document.text }]))) unwritten.document = document;
    },
    seen,
    keepSeen: async (evidence) => {
      const { image } = evidence.record;
      const path = recordFile(image);
      if (!(await tryWriting(place, [{ path, content: formatEvidence(evidence) }])))
        unwritten.seen.set(image, evidence);
    },
    allSeen: async () => {
      const names = await readdir(join(place, 'seen')).catch(() => []);
      const images = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length));
      const known = images.filter((image) => imageNameSchema.safeParse(image).success).toSorted();
      return (await Promise.all(known.map(seen))).filter((evidence) => evidence !== undefined);
    },
  };
}

/** Name of the directory that remembers what was seen by a beginning of trust. */
export function memoryName(start: TrustDocument): string {
  return hash('sha256', start.text, 'hex').slice(0, 16);
}

/** The text of a file in `seen/`. */
export function formatEvidence({ recordText, signature }: Evidence): string {
  return canonicalJson({ record: recordText, signature: signature ?? '' });
}

/** Record and signatures in one file, so that they cannot be of two versions. */
const evidenceSchema = z.object({ record: z.string(), signature: z.string() });

async function readEvidence(path: string, image: string): Promise<Evidence | undefined> {
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  return parsing(path, () => {
    const kept = evidenceSchema.safeParse(parseCanonicalJson(text));
    const recordText = kept.data?.record ?? '';
    const parsed = versionRecordSchema.safeParse(parseCanonicalJson(recordText));
    if (!kept.success || !parsed.success || parsed.data.image !== image)
      throw new FormatError('it is not what was seen of the image');
    parseSignatures(kept.data.signature);
    return { record: parsed.data, recordText, signature: kept.data.signature };
  });
}

async function tryWriting(place: string, files: { path: string; content: string }[]): Promise<boolean> {
  try {
    await makeDirectories(join(place, 'seen'));
    await writeFilesDurably(files, place);
    return true;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS' || code === 'read-only') return false;
    throw error;
  }
}

function parsing<Result>(path: string, parse: () => Result): Result {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const problem = `${error.message}; it is damaged`;
    throw new ImprintError('trust-wrong', { document: path, problem }, { cause: error });
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EACCES') return undefined;
    throw error;
  }
}
