import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImprintError } from '../../foundation/errors.ts';
import { opensshKey, opensshPublicKey, parseDoorToken } from '../../machine/door-key.ts';

/** What ssh needs to come through a one-time door; the key goes when it is disposed of. */
export interface DoorLogin extends AsyncDisposable {
  readonly identity: string;
  readonly sshOptions: string[];
}

/** Makes of a door's token a key and a known host. Errors: `usage`. */
export async function openWithToken(token: string): Promise<DoorLogin> {
  const keys = parseDoorToken(token);
  if (keys === undefined) {
    throw new ImprintError('usage', {
      problem: 'What stands after --door is no token of a door.',
      hint: 'Copy the whole command that imprint prepare printed.',
    });
  }
  const directory = await mkdtemp(join(tmpdir(), 'imprint-door-'));
  const [identity, known] = [join(directory, 'key'), join(directory, 'known_hosts')];
  await writeFile(identity, opensshKey(keys.seed).privateKey, { mode: 0o600 });
  await writeFile(known, `imprint-door ${opensshPublicKey(keys.host)}\n`);
  const sshOptions = [
    ...['HostKeyAlias=imprint-door', `UserKnownHostsFile=${known}`, 'GlobalKnownHostsFile=/dev/null'],
    ...['StrictHostKeyChecking=yes', 'HostKeyAlgorithms=ssh-ed25519', 'IdentityAgent=none'],
  ];
  return {
    identity,
    sshOptions,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}
