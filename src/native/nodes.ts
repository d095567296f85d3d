import { displayPath, type RawPath } from '../foundation/brand.ts';
import { atCwd, call, fail, firstPath, pathMax, putPath, secondPath, withPath } from './binding.ts';
import { systemError } from './library.ts';

/** A symbolic link at `path` whose content is `target`, byte for byte. */
export function symlink(target: RawPath, path: RawPath): void {
  if (target.length >= pathMax) throw systemError('symlink', 36, displayPath(path));
  const made = withPath(path, firstPath, (pointer) => {
    putPath(target, secondPath);
    return call.symlink(secondPath.pointer, pointer);
  });
  if (made < 0) fail('symlink', path);
}

/** A second name for what `existing` names; a symbolic link is linked itself, not what it points to. */
export function link(existing: RawPath, path: RawPath): void {
  const made = withPath(existing, firstPath, (from) =>
    withPath(path, secondPath, (to) => call.linkat(atCwd, from, atCwd, to, 0)),
  );
  if (made < 0) fail('link', path);
}

export function makeDirectory(path: RawPath, mode: number): void {
  if (withPath(path, firstPath, (pointer) => call.mkdir(pointer, mode)) < 0) fail('mkdir', path);
}

/** A device, FIFO or socket: `type` as in `st_mode`, permission bits less the process's umask. */
export function makeNode(path: RawPath, type: number, mode: number, major = 0, minor = 0): void {
  const made = withPath(path, firstPath, (pointer) => call.mknod(pointer, type | mode, deviceNumber(major, minor)));
  if (made < 0) fail('mknod', path);
}

/** `makedev` of glibc. */
function deviceNumber(major: number, minor: number): bigint {
  const high = BigInt(major);
  const low = BigInt(minor);
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn);
}

export function unlink(path: RawPath): void {
  if (withPath(path, firstPath, (pointer) => call.unlink(pointer)) < 0) fail('unlink', path);
}

export function removeDirectory(path: RawPath): void {
  if (withPath(path, firstPath, (pointer) => call.rmdir(pointer)) < 0) fail('rmdir', path);
}
