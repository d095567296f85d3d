import { requireFfi } from './library.ts';
import { NativeBuffer } from './native-buffer.ts';

/** Of lzma/base.h: LZMA_OK, LZMA_BUF_ERROR. */
const [ok, outOfRoom] = [0, 10];
/** No kernel module comes near it. */
const greatestContent = 1 << 28;

/**
 * The content of one xz stream, by the system's liblzma, which machines have that do not have the program `xz` (dpkg, kmod and systemd read with it).
 * Undefined where there is no such library, or where the stream is damaged.
 */
export function decompressXz(source: Uint8Array): Uint8Array | undefined {
  const functions = bindLzma();
  if (functions === undefined) return undefined;
  const input = new NativeBuffer(source.length);
  input.bytes.set(source);
  // memlimit, in_pos and out_pos.
  const numbers = new NativeBuffer(24);
  for (let room = Math.max(1 << 16, source.length * 4); room <= greatestContent; room *= 4) {
    const output = new NativeBuffer(room);
    numbers.view.setBigUint64(0, 0xffff_ffff_ffff_ffffn, true);
    numbers.view.setBigUint64(8, 0n, true);
    numbers.view.setBigUint64(16, 0n, true);
    const result = functions.lzma_stream_buffer_decode(
      ...([numbers.at(0), 0, 0n] as const),
      ...([input.pointer, numbers.at(8), BigInt(source.length)] as const),
      ...([output.pointer, numbers.at(16), BigInt(room)] as const),
    );
    if (result === ok) return output.bytes.subarray(0, Number(numbers.view.getBigUint64(16, true)));
    if (result !== outOfRoom) return undefined;
  }
  return undefined;
}

function bindLzma() {
  try {
    return requireFfi().dlopen('liblzma.so.5', {
      lzma_stream_buffer_decode: {
        arguments: ['pointer', 'u32', 'pointer', 'pointer', 'pointer', 'u64', 'pointer', 'pointer', 'u64'],
        return: 'i32',
      },
    }).functions;
  } catch {
    return undefined;
  }
}
