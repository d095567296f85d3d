import type { StoreFiles } from './store-files.ts';

/** Files that are held, and bytes of a file that is. */
const most = 2;
const largest = 64 << 20;

/**
 * Files that are read several times in a row and never change under their names: the last ones stay in memory. Nothing is believed of them; who finds
 * one damaged has it forgotten, so that the next reader asks again.
 */
export class HeldFiles implements Pick<StoreFiles, 'location' | 'read'> {
  readonly #files: Pick<StoreFiles, 'location' | 'read'>;
  /** The one that was used last stands last. */
  readonly #held = new Map<string, Buffer>();

  constructor(files: Pick<StoreFiles, 'location' | 'read'>) {
    this.#files = files;
  }

  get location(): string {
    return this.#files.location;
  }

  async read(path: string, limit: number): Promise<Buffer | undefined> {
    const held = this.#held.get(path);
    const bytes = held ?? (await this.#files.read(path, limit));
    this.#held.delete(path);
    if (bytes === undefined || bytes.length > largest) return bytes;
    this.#held.set(path, bytes);
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= most) break;
      this.#held.delete(oldest);
    }
    return bytes;
  }

  forget(): void {
    this.#held.clear();
  }
}
