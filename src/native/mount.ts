import type { RawPath } from '../foundation/brand.ts';
import { call, fail, firstPath, withPath } from './binding.ts';
import { NativeBuffer } from './native-buffer.ts';

/** `mount(2)`; `flags` as in sys/mount.h. */
export function mount(source: string, target: RawPath, type: string, flags: number, options: string): void {
  const [from, kind, data] = [source, type, options].map((text) => {
    const buffer = new NativeBuffer(text.length * 3 + 1);
    buffer.bytes.write(`${text}\0`, 'utf8');
    return buffer;
  }) as [NativeBuffer, NativeBuffer, NativeBuffer];
  const done = withPath(target, firstPath, (pointer) =>
    call.mount(from.pointer, pointer, kind.pointer, BigInt(flags), data.pointer),
  );
  if (done < 0) fail('mount', target);
}

/** `umount2(2)`; `lazy` detaches it now and lets go when nobody uses it any more. */
export function unmount(target: RawPath, lazy = false): void {
  if (withPath(target, firstPath, (pointer) => call.umount2(pointer, lazy ? 2 : 0)) < 0) fail('umount', target);
}
