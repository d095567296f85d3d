import { access } from 'node:fs/promises';
import type { Processes } from './run.ts';

const patience = 600_000;
const env = { DM_DISABLE_UDEV: '1' };
/** KiB that opening it may take: a machine that boots has little more than its initial RAM disk leaves. */
const mostMemory = 262_144;

export interface CryptWish {
  name: string;
  /** The device below. */
  on: string;
  uuid: string;
  version: '1' | '2';
}

/**
 * Encrypts a device and opens it. The secret goes by standard input, never by an argument: everybody sees those. Errors: `process-failed`,
 * `tool-missing`.
 */
export async function makeCrypt(
  processes: Processes,
  { name, on, uuid, version }: CryptWish,
  secret: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  const options = { timeout: patience, env, input: secret, ...(signal && { signal }) };
  const hash = version === '2' ? ['--pbkdf', 'argon2id', '--pbkdf-memory', String(mostMemory)] : [];
  await processes.run('modprobe', ['--all', '--quiet', 'dm_mod', 'dm_crypt'], { timeout: patience, accept: [0, 1] });
  await processes.run(
    'cryptsetup',
    ['luksFormat', '--batch-mode', `--type=luks${version}`, `--uuid=${uuid}`, ...hash, '--key-file=-', on],
    options,
  );
  await processes.run('cryptsetup', ['open', '--type=luks', '--key-file=-', on, name], options);
}

/** Closes it; one that is not open is fine. Errors: `process-failed`. */
export async function closeCrypt(processes: Processes, name: string): Promise<void> {
  const is = await access(`/dev/mapper/${name}`).then(
    () => true,
    () => false,
  );
  if (is) await processes.run('cryptsetup', ['close', name], { timeout: patience, env });
}
