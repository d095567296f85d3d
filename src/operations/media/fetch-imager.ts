import { hash } from 'node:crypto';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { isSignedBy, type PublicKey } from '../../image/signature.ts';
import { type ImagerRecord, parseImagerRecord } from '../../machine/imager-record.ts';
import { HttpFiles } from '../../store/http-files.ts';
import { imagerRecordName, imagerSignatureName } from '../build-imager.ts';

/** A server's imager, every byte of it as the server signed it. */
export interface FetchedImager {
  record: ImagerRecord;
  vmlinuz: Buffer;
  initrd: Buffer;
}

const names = { vmlinuz: 'vmlinuz', initrd: 'initrd.img' } as const;
const limit = 2 ** 30;

/**
 * Fetches the imager of a server, and believes nothing that its key has not signed: unlike a bare machine, one that runs knows that key.
 * Errors: `imager-unfit`, `signature-wrong`, `store-unreachable`.
 */
export async function fetchImager(server: string, key: PublicKey, task: Task): Promise<FetchedImager> {
  const files = new HttpFiles(`${server.replace(/\/+$/, '')}/boot`, { signal: task.signal });
  try {
    const text = await needed(files, server, imagerRecordName);
    const signature = await needed(files, server, imagerSignatureName);
    expectSigned(signature.toString('utf8'), text, key);
    const record = parseImagerRecord(text.toString('utf8'));
    if (record === undefined) throw unfit(server, 'its record is of an Imprint that this one does not know');
    const fetch = async (name: keyof typeof names) => {
      const bytes = await needed(files, server, names[name]);
      if (hash('sha256', bytes) !== record.files[name])
        throw unfit(server, `${names[name]} is not what it signed; where it was made just now, try again`);
      return bytes;
    };
    return { record, vmlinuz: await fetch('vmlinuz'), initrd: await fetch('initrd') };
  } finally {
    await files.close();
  }
}

async function needed(files: HttpFiles, server: string, name: string): Promise<Buffer> {
  const bytes = await files.read(name, limit);
  if (bytes !== undefined) return bytes;
  throw unfit(server, `it has no ${name}`);
}

function expectSigned(signature: string, text: Uint8Array, key: PublicKey): void {
  if (isSignedBy(signature, text, [key])) return;
  throw new ImprintError('signature-wrong', { what: 'the imager', key: `trusted: ${key.id}` });
}

function unfit(server: string, problem: string): ImprintError {
  return new ImprintError('imager-unfit', { server, problem });
}
