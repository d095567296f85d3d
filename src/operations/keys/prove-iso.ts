import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { FormatError } from '../../image/format-error.ts';
import { parsePublicKey, signersOf } from '../../image/signature.ts';
import { checksumNames, dearmor, findChecksum } from '../../netboot/checksum-file.ts';
import type { Processes } from '../../system/run.ts';

export interface IsoProof {
  /** Hexadecimal. */
  sha256: string;
  /** The file whose checksum it matches. */
  checksum?: string;
  /** The key that signed that file, or the ISO. */
  signature?: string;
}

/** More than any list of checksums. */
const textLimit = 4 << 20;

/**
 * Reads an ISO and holds it against the checksums that lie beside it; where keys are given, one of them must have signed these, or the ISO itself. Errors:
 * `iso-corrupt`, `iso-unsigned`, `io-failed`, `interrupted`.
 */
export async function proveIso(
  processes: Processes,
  iso: string,
  trustedKeys: readonly string[],
  task: Task,
): Promise<IsoProof> {
  const hashes = await hashFile(iso, task);
  const directory = dirname(iso);
  const name = basename(iso);
  const beside = await readdir(directory);
  const { sha256 } = hashes;
  let checksum: string | undefined;
  for (const each of checksumNames(name, beside)) {
    const found = findChecksum(await readText(join(directory, each)), name);
    if (found === undefined) continue;
    if (found.hex !== hashes[found.kind])
      throw new ImprintError('iso-corrupt', { iso, problem: `its checksum is another than ${each} says` });
    checksum = each;
    break;
  }
  const proof = { sha256, ...(checksum !== undefined && { checksum }) };
  if (trustedKeys.length === 0) return proof;
  const signatures = signaturesBeside({ directory, beside, name, checksum });
  const signature = await findSignature(processes, signatures, trustedKeys);
  if (signature !== undefined) return { ...proof, signature };
  const names = signatures.map((each) => basename(each.signature)).join(', ');
  const [problem, hint] =
    signatures.length === 0
      ? [
          `no signature of it, or of a list with its checksum, lies beside it${checksum === undefined ? '' : ` (${checksum}.gpg, ${checksum}.sign, …)`}`,
          'Fetch list and signature from its makers into the same directory.',
        ]
      : [
          `${names} is by none of them, or one is no public key (${trustedKeys.join(', ')})`,
          'Fetch the makers’ key again, from a place that you trust; if it is theirs, do not use this ISO.',
        ];
  throw new ImprintError('iso-unsigned', { iso, problem, hint });
}

/** Checksums of a file. Errors: `io-failed`, `interrupted`. */
export async function hashFile(iso: string, task: Task): Promise<{ sha256: string; sha512: string }> {
  const [first, second] = [createHash('sha256'), createHash('sha512')];
  task.expect((await stat(iso)).size, 'bytes');
  for await (const piece of createReadStream(iso, { highWaterMark: 1 << 20, signal: task.signal })) {
    first.update(piece);
    second.update(piece);
    task.advance(piece.length);
  }
  return { sha256: first.digest('hex'), sha512: second.digest('hex') };
}

/** Signatures of the list of checksums, and of the ISO, that lie beside it. */
function signaturesBeside({
  directory,
  beside,
  name,
  checksum,
}: {
  directory: string;
  beside: string[];
  name: string;
  checksum: string | undefined;
}): SignedFile[] {
  return [checksum, name].flatMap((signed) =>
    ['.minisig', '.asc', '.sign', '.sig', '.gpg'].flatMap((ending) =>
      signed === undefined || !beside.includes(`${signed}${ending}`)
        ? []
        : [{ signed: join(directory, signed), signature: join(directory, `${signed}${ending}`) }],
    ),
  );
}

/** The key file whose key made one of these. */
async function findSignature(
  processes: Processes,
  signatures: readonly SignedFile[],
  trustedKeys: readonly string[],
): Promise<string | undefined> {
  for (const files of signatures) {
    for (const key of trustedKeys) {
      const isRight = files.signature.endsWith('.minisig')
        ? await minisigned(files, key)
        : await openpgpSigned(processes, files, key);
      if (isRight) return key;
    }
  }
  return undefined;
}

interface SignedFile {
  signed: string;
  signature: string;
}

/** Whether a minisign key made it. Files as large as an ISO are signed by their list of checksums: only what fits into memory is looked at. */
async function minisigned({ signed, signature }: SignedFile, key: string): Promise<boolean> {
  try {
    const publicKey = parsePublicKey(await readText(key));
    if ((await stat(signed)).size > 2 ** 31) return false;
    return signersOf(await readText(signature), await readFile(signed), [publicKey]).length > 0;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

/** Whether a key of a keyring of GnuPG made it, in armor or not. */
async function openpgpSigned(processes: Processes, { signed, signature }: SignedFile, key: string): Promise<boolean> {
  const bytes = await readFile(key);
  if (bytes.toString('latin1', 0, 9) === 'untrusted') return false;
  const directory = await mkdtemp(join(tmpdir(), 'imprint-keyring-'));
  try {
    const keyring = join(directory, 'keyring.gpg');
    await writeFile(keyring, dearmor(bytes.toString('latin1')) ?? bytes);
    const args = ['--quiet', '--homedir', directory, '--keyring', keyring, signature, signed];
    const { status } = await processes.run('gpgv', args, { timeout: 600_000, accept: [0, 1, 2] });
    return status === 0;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function readText(path: string): Promise<string> {
  try {
    if ((await stat(path)).size > textLimit) return '';
    return await readFile(path, 'utf8');
  } catch (error) {
    throw toImprintError(error);
  }
}
