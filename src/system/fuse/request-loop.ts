import { readSync, writeSync } from 'node:fs';
import { parseRequest, type Request } from './protocol.ts';

/** What the kernel asks of one file system, one request after another. */
export interface RequestLoop {
  /** Number of the open `/dev/fuse`. */
  device: number;
  /** Bytes of the longest request. */
  longest: number;
  /** The answer; undefined where the kernel wants none. Valid until the next request. Must not throw. */
  answer(request: Request): Buffer | undefined;
}

/** Answers the kernel, all calls synchronous, until the file system is unmounted. */
export function answerRequests({ device, longest, answer }: RequestLoop): void {
  const room = Buffer.alloc(longest);
  for (;;) {
    let length: number;
    try {
      length = readSync(device, room, 0, room.length, null);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // A request that was taken back, or a signal.
      if (code === 'ENOENT' || code === 'EINTR' || code === 'EAGAIN') continue;
      // ENODEV: unmounted.
      return;
    }
    const request = parseRequest(room.subarray(0, length));
    if (request === undefined) continue;
    const reply = answer(request);
    try {
      if (reply !== undefined) writeSync(device, reply);
    } catch (error) {
      // ENOENT: nobody waits for it any more.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return;
    }
  }
}
