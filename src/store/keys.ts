import { createPrivateKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import { link, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import { createSigner, formatPublicKey, type Signer } from '../image/signature.ts';
import { ifThere } from './directory-files.ts';
import { makeDirectories } from './make-directories.ts';

/** The key with which a server signs, and its public half as a minisign public key file. */
export interface ServerKey {
  readonly signer: Signer;
  /** Text of `keys/server.pub`. */
  readonly publicKeyText: string;
  readonly publicKeyPath: string;
  /** True where this call made it. */
  readonly created: boolean;
}

/**
 * The server's key in `DIR/keys`, made there when there is none: `server.key` (ed25519, PEM PKCS#8, mode 0600) and
 * `server.pub`. Two processes at once get the same key. Errors: `read-only`, `disk-full`, `io-failed`, `usage` for a
 * key file that is not an ed25519 key.
 */
export async function ensureServerKey(dataDirectory: string): Promise<ServerKey> {
  const directory = join(dataDirectory, 'keys');
  try {
    const existing = await readServerKey(dataDirectory);
    if (existing) return existing;
    await makeDirectories(directory, 0o700);
    const { privateKey } = generateKeyPairSync('ed25519');
    await createOnce(
      join(directory, 'server.key'),
      privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      0o600,
    );
    const made = await readServerKey(dataDirectory);
    if (!made) throw new ImprintError('internal', { problem: `${directory}/server.key is gone again` });
    return { ...made, created: true };
  } catch (error) {
    throw toImprintError(error);
  }
}

/** The server's key, undefined where there is none yet. Writes `server.pub` again where it is missing or differs. */
export async function readServerKey(dataDirectory: string): Promise<ServerKey | undefined> {
  const directory = join(dataDirectory, 'keys');
  const pem = await ifThere(readFile(join(directory, 'server.key'), 'utf8'));
  if (pem === undefined) return undefined;
  const signer = signerFromPem(pem, join(directory, 'server.key'));
  const publicKeyText = formatPublicKey(signer.publicKey);
  const publicKeyPath = join(directory, 'server.pub');
  if ((await ifThere(readFile(publicKeyPath, 'utf8'))) !== publicKeyText)
    await replaceFile(publicKeyPath, publicKeyText);
  return { signer, publicKeyText, publicKeyPath, created: false };
}

/** A signer from a private key file (ed25519, PEM PKCS#8). Errors: `input-invalid` where there is none, `usage` for one of another kind. */
export async function readSigner(path: string): Promise<Signer> {
  const pem = await ifThere(readFile(path, 'utf8')).catch((error) => {
    throw toImprintError(error);
  });
  if (pem === undefined) throw new ImprintError('input-invalid', { field: 'key', problem: `${path} is not there` });
  return signerFromPem(pem, path);
}

/** All private keys of `DIR/keys`, the server's own first; none where they may not be read. */
export async function readSigners(dataDirectory: string): Promise<Signer[]> {
  const directory = join(dataDirectory, 'keys');
  const names: string[] = await readdir(directory).catch(() => []);
  const files = names.filter((name) => name.endsWith('.key') && name !== 'server.key').toSorted();
  const paths = [...(names.includes('server.key') ? ['server.key'] : []), ...files];
  return Promise.all(paths.map((name) => readSigner(join(directory, name))));
}

/** Makes a key: `PATH.key` (mode 0600) and `PATH.pub`. Errors: `key-exists` where one of them is there already. */
export async function createKeyFiles(path: string): Promise<Signer> {
  const privatePath = `${path}.key`;
  const publicPath = `${path}.pub`;
  try {
    for (const each of [privatePath, publicPath])
      if ((await ifThere(readFile(each, 'utf8'))) !== undefined) throw new ImprintError('key-exists', { path: each });
    await makeDirectories(dirname(path), 0o700);
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    await createOnce(privatePath, pem, 0o600);
    const signer = await readSigner(privatePath);
    await replaceFile(publicPath, formatPublicKey(signer.publicKey));
    return signer;
  } catch (error) {
    throw toImprintError(error);
  }
}

function signerFromPem(pem: string, path: string): Signer {
  try {
    return createSigner(createPrivateKey(pem));
  } catch (cause) {
    throw new ImprintError(
      'usage',
      {
        problem: `${path} is not an ed25519 private key.`,
        hint: 'Restore it from a copy, or move it away to get a new key.',
      },
      { cause },
    );
  }
}

/** Writes a file that must not be there yet; another's is left as it is. Link and unlink, so that it is never seen half. */
async function createOnce(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  await writeDurably(temporary, text, mode);
  try {
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  await writeDurably(temporary, text, 0o644);
  await rename(temporary, path);
}

async function writeDurably(path: string, text: string, mode: number): Promise<void> {
  await using file = await open(path, 'w', mode);
  await file.writeFile(text);
  await file.sync();
}
