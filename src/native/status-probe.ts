import { atCwd, call, symlinkNoFollow } from './binding.ts';
import { NativeBuffer } from './native-buffer.ts';

const statxBasicStats = 0x7ff;
const noAutomount = 0x800;
/** O_PATH, O_DIRECTORY, O_NOFOLLOW, O_CLOEXEC: only to look names up in. */
const lookUpOnly = 0o10000000 | 0o200000 | 0o400000 | 0o2000000;

/**
 * Asks for the status of one name after another without making anything of the answer: for those who only compare. Names lie in memory given
 * once, each closed by a zero, and are named by their offset.
 */
export class StatusProbe {
  /** `struct statx` of linux/stat.h, as of the last `look` that returned true, in numbers of 32 bits. */
  readonly words: Uint32Array;
  readonly #names: NativeBuffer;
  readonly #status = new NativeBuffer(256);

  constructor(names: Uint8Array) {
    this.#names = new NativeBuffer(names.length);
    this.#names.bytes.set(names);
    this.words = new Uint32Array(this.#status.bytes.buffer, 0, 64);
  }

  /** Status of what the name at `offset` is in an open directory; a symbolic link is not followed. False where there is none. */
  look(directory: number, offset: number): boolean {
    const flags = symlinkNoFollow | noAutomount;
    return call.statx(directory, this.#names.at(offset), flags, statxBasicStats, this.#status.pointer) === 0;
  }

  /** Opens the directory of that name to look names up in it; −1 where there is none. `directory` undefined: the name is a whole path. */
  open(directory: number | undefined, offset: number): number {
    return call.openat(directory ?? atCwd, this.#names.at(offset), lookUpOnly, 0);
  }
}
