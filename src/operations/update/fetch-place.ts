import { readdir, readFile, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { ImprintError } from '../../foundation/errors.ts';
import { writeFileDurably, writing } from '../../store/durable.ts';
import { makeDirectories } from '../../store/make-directories.ts';

/** Left free on the file system beside what is fetched: it is a running system's. */
const reserve = 16 << 20;

/** The directory that one version is fetched to, so that what was fetched before a cut is found again. */
export class FetchPlace {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Opens the place for what `key` names; what lies there for anything else goes. Errors: `disk-full`, `read-only`, `io-failed`. */
  static async open(directory: string, key: string): Promise<FetchPlace> {
    const place = new FetchPlace(directory);
    await writing(directory, () => makeDirectories(directory, 0o700));
    if ((await place.read('key')) !== key) {
      await writing(directory, async () => {
        for (const name of await readdir(directory)) await rm(join(directory, name), { recursive: true, force: true });
      });
      await place.write('key', key);
    }
    return place;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** A small file as text; undefined where it is not there. */
  async read(name: string): Promise<string | undefined> {
    try {
      return await readFile(this.path(name), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async write(name: string, content: Uint8Array | string): Promise<void> {
    await writeFileDurably(this.path(name), content, this.directory);
  }

  /** Throws `fetch-no-room` unless `bytes` more fit. */
  async expectRoom(bytes: number, reference: string): Promise<void> {
    const { bavail, bsize } = await statfs(this.directory);
    const free = bavail * bsize;
    if (free >= bytes + reserve) return;
    throw new ImprintError('fetch-no-room', { reference, path: this.directory, needed: bytes + reserve, free });
  }
}
