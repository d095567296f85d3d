import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commands, errors } from '../../src/system/nbd/protocol.ts';
import { BlockServer, type ReadBlocks } from '../../src/system/nbd/serve-blocks.ts';

const size = 8 << 20;
const all = Buffer.from(Array.from({ length: size }, (_, index) => index % 251));
const content = (position: number, length: number) => all.subarray(position, position + length);
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'imprint-block-server-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** The kernel's side. */
class Kernel {
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  #next = 1n;
  #ended = false;
  #more: () => void = () => {};

  constructor(path: string) {
    this.#socket = connect(path);
    this.#socket.on('data', (bytes: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
      this.#more();
    });
    this.#socket.on('close', () => {
      this.#ended = true;
      this.#more();
    });
    this.#socket.on('error', () => {});
  }

  ask(command: number, offset: number, length: number): bigint {
    const bytes = Buffer.alloc(28);
    bytes.writeUInt32BE(0x25609513, 0);
    bytes.writeUInt16BE(command, 6);
    bytes.writeBigUInt64BE(this.#next, 8);
    bytes.writeBigUInt64BE(BigInt(offset), 16);
    bytes.writeUInt32BE(length, 24);
    this.#socket.write(command === commands.write ? Buffer.concat([bytes, Buffer.alloc(length)]) : bytes);
    this.#next += 1n;
    return this.#next - 1n;
  }

  say(bytes: string): void {
    this.#socket.write(bytes);
  }

  async answer(length: number): Promise<{ cookie: bigint; error: number; bytes: Buffer }> {
    const head = await this.#take(16);
    expect(head.readUInt32BE(0)).toBe(0x67446698);
    const error = head.readUInt32BE(4);
    return { cookie: head.readBigUInt64BE(8), error, bytes: error === 0 ? await this.#take(length) : Buffer.alloc(0) };
  }

  async ended(): Promise<void> {
    while (!this.#ended) await new Promise<void>((resolve) => (this.#more = resolve));
  }

  async #take(length: number): Promise<Buffer> {
    while (this.#bytes.length < length) {
      if (this.#ended) throw new Error('the server hung up');
      await new Promise<void>((resolve) => (this.#more = resolve));
    }
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }

  close(): void {
    this.#socket.destroy();
  }
}

async function serving(read: ReadBlocks, work: (kernel: Kernel, path: string) => Promise<void>): Promise<void> {
  const path = join(directory, 'blocks');
  await using _server = await BlockServer.listen(path, size, read);
  const kernel = new Kernel(path);
  await work(kernel, path);
  kernel.close();
}

describe('a device that is served to the kernel', () => {
  it('is read, in whatever order answers are ready', async () => {
    const late = Promise.withResolvers<void>();
    await serving(
      async (position, length) => {
        if (position === 0) await late.promise;
        return content(position, length);
      },
      async (kernel) => {
        const slow = kernel.ask(commands.read, 0, 4096);
        const quick = kernel.ask(commands.read, 4096, 512);
        expect(await kernel.answer(512)).toEqual({ cookie: quick, error: 0, bytes: content(4096, 512) });
        late.resolve();
        expect(await kernel.answer(4096)).toEqual({ cookie: slow, error: 0, bytes: content(0, 4096) });
      },
    );
  });

  it('is not written, and has an end', async () => {
    await serving(
      async (position, length) => content(position, length),
      async (kernel) => {
        kernel.ask(commands.write, 0, 4096);
        expect(await kernel.answer(0)).toMatchObject({ error: errors.permission });
        kernel.ask(commands.trim, 0, 4096);
        expect(await kernel.answer(0)).toMatchObject({ error: errors.permission });
        kernel.ask(commands.read, size - 512, 1024);
        expect(await kernel.answer(0)).toMatchObject({ error: errors.invalid });
        kernel.ask(commands.flush, 0, 0);
        expect(await kernel.answer(0)).toMatchObject({ error: 0 });
        kernel.ask(commands.read, size - 512, 512);
        expect(await kernel.answer(512)).toMatchObject({ bytes: content(size - 512, 512) });
      },
    );
  });

  it('has an error where reads have given up, and works on', async () => {
    let broken = true;
    const read: ReadBlocks = async (position, length) => {
      if (broken) throw new Error('gone');
      return content(position, length);
    };
    await serving(read, async (kernel) => {
      kernel.ask(commands.read, 0, 512);
      expect(await kernel.answer(0)).toMatchObject({ error: errors.io });
      broken = false;
      kernel.ask(commands.read, 0, 512);
      expect(await kernel.answer(512)).toMatchObject({ error: 0 });
    });
  });

  it('takes much at a time, and another kernel after one that left', async () => {
    await serving(
      async (position, length) => content(position, length),
      async (kernel, path) => {
        for (let index = 0; index < 64; index += 1) kernel.ask(commands.read, 0, 1 << 20);
        for (let index = 0; index < 64; index += 1) expect((await kernel.answer(1 << 20)).bytes.length).toBe(1 << 20);
        kernel.close();
        const next = new Kernel(path);
        next.ask(commands.read, 0, 512);
        expect(await next.answer(512)).toMatchObject({ error: 0 });
        next.ask(commands.disconnect, 0, 0);
        await next.ended();
        const nobody = new Kernel(path);
        nobody.say('GET / HTTP/1.1\r\nHost: imprint\r\n\r\n');
        await nobody.ended();
      },
    );
  });
});
