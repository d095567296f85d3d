import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { secretReader } from '../image/sealed-secret.ts';
import { dataPaths } from './data-paths.ts';
import { forgetPassphrase, keepPassphrase, sealedPassphrase } from './server-passphrases.ts';

it('keeps a passphrase for one machine until it is forgotten, and gives it sealed', async () => {
  const data = await mkdtemp(join(tmpdir(), 'imprint-passphrase-'));
  try {
    const paths = dataPaths(data);
    const reader = secretReader();
    await keepPassphrase(paths, 'web01', 'open sesame');
    expect((await stat(join(paths.passphrases, 'web01'))).mode & 0o777).toBe(0o600);
    expect((await stat(paths.passphrases)).mode & 0o777).toBe(0o700);
    const sealed = await sealedPassphrase(paths, 'WEB01', reader.publicKey);
    expect(sealed && reader.open(sealed).toString()).toBe('open sesame');
    expect(await sealedPassphrase(paths, 'web02', reader.publicKey)).toBeUndefined();
    expect(await sealedPassphrase(paths, 'web01', undefined)).toBeUndefined();
    expect(await sealedPassphrase(paths, 'web01', 'no key')).toBeUndefined();
    // An order without one is not carried out with that of the order before.
    await keepPassphrase(paths, 'web01', undefined);
    expect(await sealedPassphrase(paths, 'web01', reader.publicKey)).toBeUndefined();
    await forgetPassphrase(paths, 'web01');
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});
