import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type RawPath, rawPath } from '../../src/foundation/brand.ts';
import { typeBits } from '../../src/image/entry.ts';
import { setMode, setModifiedTime, setOwner, setXattr } from '../../src/native/attributes.ts';
import { close, open, openFlags, truncate, writeAt } from '../../src/native/files.ts';
import { NativeBuffer } from '../../src/native/native-buffer.ts';
import { link, makeDirectory, makeNode, symlink } from '../../src/native/nodes.ts';

const { writeOnly, create } = openFlags;
const mebibyte = 1 << 20;

type At = (path: string) => RawPath;
type MakeFile = (path: string, content?: string | Uint8Array) => RawPath;

/** Fills a directory with every kind of entry and attribute that an image must keep (DOMAIN.md); needs root. */
export function makeEveryEntry(directory: string): void {
  const base = rawPath(directory);
  const at: At = (path) => `${base}/${path}` as RawPath;
  const file: MakeFile = (path, content = path) => {
    writeNew(at(path), typeof content === 'string' ? Buffer.from(content, 'latin1') : content);
    return at(path);
  };
  mkdirSync(directory, { recursive: true });
  names(at, file);
  contents(file);
  holes(at);
  modesAndOwners(at, file);
  links(at, file);
  nodes(at);
  xattrs(directory, at, file);
  deep(at);
  times(at, file);
  for (let index = 0; index < 300; index += 1) file(`many-${index}`, `content ${index % 100}`);
  setModifiedTime(base, 1_111_111_111, 987_654_321);
}

function writeNew(path: RawPath, bytes: Uint8Array): void {
  const fd = open(path, writeOnly | create, 0o644);
  if (bytes.length > 0) writeAt(fd, copied(bytes).pointer, bytes.length, 0);
  close(fd);
}

function copied(bytes: Uint8Array): NativeBuffer {
  const buffer = new NativeBuffer(bytes.length);
  buffer.bytes.set(bytes);
  return buffer;
}

function names(at: At, file: MakeFile): void {
  for (const name of [
    'line\nbreak',
    'tab\tand space ',
    'high \xff\xfe byte',
    'half a sequence \xc3',
    'utf-8 \xc3\xa4\xe2\x82\xac',
    '-option',
    'back\\slash',
    'quote"\'`$(x)',
    '*?[glob]',
    '\x01\x7f',
    'n'.repeat(255),
    '\xff'.repeat(255),
    ' ',
    '...',
  ]) {
    file(name);
  }
  // Sorted by whole paths, these would come in another order than by their parts.
  makeDirectory(at('a'), 0o755);
  for (const name of ['a/c', 'a-b', 'a.b', 'a0']) file(name);
  makeDirectory(at('\xfe dir'), 0o700);
  file('\xfe dir/in it \xfd');
  makeDirectory(at('empty directory'), 0o755);
}

function contents(file: MakeFile): void {
  file('empty', '');
  file('one byte', 'x');
  file('chunk exactly', randomBytes(4 * mebibyte));
  file('chunk and one', randomBytes(4 * mebibyte + 1));
  file('frame exactly', randomBytes(mebibyte));
  file('zeros, no holes', new Uint8Array(3 * mebibyte));
  const text = Buffer.alloc(6 * mebibyte, 'text ');
  const large = Buffer.concat([randomBytes(9 * mebibyte), text, randomBytes(5 * mebibyte)]);
  file('large', large);
  file('large copy', large);
  file('large, shifted', Buffer.concat([Buffer.from('inserted'), large]));
}

function holes(at: At): void {
  const unit = 65_536;
  const sparse = (name: string, size: number, data: readonly [offset: number, length: number][]) => {
    const fd = open(at(name), writeOnly | create, 0o640);
    truncate(fd, size);
    for (const [offset, length] of data) writeAt(fd, copied(randomBytes(length)).pointer, length, offset);
    close(fd);
  };
  sparse('hole at start', 4 * unit, [[2 * unit, 2 * unit]]);
  sparse('hole at end', 10 * unit, [[0, unit]]);
  sparse('hole in the middle', 9 * unit, [
    [0, unit],
    [8 * unit, unit],
  ]);
  sparse('holes everywhere', 101 * unit, [
    [unit, unit],
    [3 * unit, 2 * unit],
    [50 * unit, unit],
    [99 * unit, unit],
  ]);
  sparse('a hole only', 7 * unit + 3, []);
  sparse('hole, odd length', 5 * unit + 17, [[4 * unit, unit + 17]]);
  sparse('large with holes', 200 * unit, [
    [10 * unit, 70 * unit],
    [100 * unit, 60 * unit],
  ]);
  sparse('huge', 200 * 2 ** 30, [
    [0, 10],
    [100 * 2 ** 30, 5000],
  ]);
}

function modesAndOwners(at: At, file: MakeFile): void {
  for (const mode of [0, 0o1, 0o644, 0o755, 0o4755, 0o2755, 0o6711, 0o1644, 0o7777, 0o222]) {
    setMode(file(`mode ${mode.toString(8)}`), mode);
  }
  for (const [uid, gid] of [
    [0, 42],
    [1000, 0],
    [1000, 1000],
    [65_534, 65_534],
    [4_000_000_000, 3_999_999_999],
  ] as const) {
    setOwner(file(`owner ${uid} ${gid}`), uid, gid);
  }
  const owned = file('owned and set-uid');
  setOwner(owned, 1234, 4321);
  setMode(owned, 0o6755);
  for (const [name, mode] of [
    ['sticky', 0o1777],
    ['set-gid', 0o2775],
    ['closed', 0],
  ] as const) {
    makeDirectory(at(name), 0o755);
    file(`${name}/inside`);
    setOwner(at(name), 0, 50);
    setMode(at(name), mode);
  }
}

function links(at: At, file: MakeFile): void {
  symlink('a/c' as RawPath, at('symlink'));
  symlink('/nowhere \xff\n' as RawPath, at('symlink to bytes'));
  symlink('x'.repeat(1000) as RawPath, at('symlink, long'));
  symlink('.' as RawPath, at('symlink to itself'));
  setOwner(at('symlink'), 7, 8);
  setModifiedTime(at('symlink'), 1_000_000_000, 1);
  link(file('linked'), at('a/linked too'));
  link(at('linked'), at('zz linked \xff'));
  const big = file('linked, large', randomBytes(5 * mebibyte));
  link(big, at('zz linked, large'));
  link(at('symlink to bytes'), at('zz symlink, linked'));
  makeNode(at('device, linked'), typeBits.character, 0o600, 1, 3);
  link(at('device, linked'), at('zz device, linked'));
  makeNode(at('fifo, linked'), typeBits.fifo, 0o600);
  link(at('fifo, linked'), at('a/fifo, linked'));
  link(file('m.n'), at('m-n'));
}

function nodes(at: At): void {
  makeNode(at('null'), typeBits.character, 0o666, 1, 3);
  makeNode(at('disk'), typeBits.block, 0o660, 259, 70_000);
  makeNode(at('high'), typeBits.character, 0o600, 511, 262_143);
  makeNode(at('fifo'), typeBits.fifo, 0o622);
  makeNode(at('socket'), typeBits.socket, 0o777);
  setOwner(at('disk'), 0, 6);
  setMode(at('disk'), 0o660);
}

function xattrs(directory: string, at: At, file: MakeFile): void {
  const path = file('xattrs');
  setXattr(path, 'user.text', Buffer.from('value'));
  setXattr(path, 'user.empty', new Uint8Array(0));
  setXattr(path, 'user.bytes', Buffer.from([0, 255, 10, 0]));
  setXattr(path, 'user.name \xff', Buffer.from('x'));
  setXattr(path, 'trusted.overlay.opaque', Buffer.from('y'));
  setXattr(path, 'security.imprint', Buffer.from('label\0'));
  setXattr(path, 'user.long', randomBytes(2000));
  setXattr(file('xattrs, large', randomBytes(6 * mebibyte)), 'user.large', Buffer.from('yes'));
  setXattr(file('xattrs, empty', ''), 'user.empty', Buffer.from('yes'));
  makeDirectory(at('xattrs dir'), 0o755);
  setXattr(at('xattrs dir'), 'user.dir', Buffer.from('d'));
  symlink('nowhere' as RawPath, at('xattrs symlink'));
  setXattr(at('xattrs symlink'), 'trusted.link', Buffer.from('l'));
  const run = (command: string, args: string[], name: string) =>
    execFileSync(command, [...args, join(directory, name)]);
  file('capable');
  run('setcap', ['cap_net_raw+ep'], 'capable');
  setOwner(file('capable and owned'), 1000, 1000);
  run('setcap', ['cap_net_bind_service+eip'], 'capable and owned');
  file('acl');
  run('setfacl', ['-m', 'u:1001:rw,g:1002:r,m::r'], 'acl');
  mkdirSync(join(directory, 'acl dir'));
  run('setfacl', ['-m', 'u:1001:rwx', '-m', 'd:u:1001:rx,d:g::-,d:o::-'], 'acl dir');
  writeFileSync(join(directory, 'acl dir', 'inherited'), 'x');
  mkdirSync(join(directory, 'acl dir', 'inherited dir'));
  writeFileSync(join(directory, 'acl dir', 'not inherited'), 'x');
  run('setfacl', ['-b'], 'acl dir/not inherited');
}

/** A path longer than the kernel takes at once. */
function deep(at: At): void {
  let path = 'deep';
  makeDirectory(at(path), 0o755);
  for (let level = 0; level < 22; level += 1) {
    path += `/${'d'.repeat(200)}`;
    makeDirectory(at(path), 0o755);
  }
  writeNew(at(`${path}/bottom`), Buffer.from('deep content'));
  setXattr(at(`${path}/bottom`), 'user.deep', Buffer.from('x'));
  symlink('bottom' as RawPath, at(`${path}/link`));
}

/** Within what ext4, xfs and btrfs all keep: 1901 to 2446. */
function times(at: At, file: MakeFile): void {
  for (const [seconds, nanoseconds] of [
    [0, 0],
    [0, 1],
    [-1, 999_999_999],
    [-2_000_000_000, 500_000_000],
    [4_294_967_296, 123_456_789],
    [15_000_000_000, 1],
    [1_700_000_000, 999_999_999],
  ] as const) {
    setModifiedTime(file(`time ${seconds} ${nanoseconds}`), seconds, nanoseconds);
  }
  makeDirectory(at('old directory'), 0o755);
  file('old directory/young file');
  setModifiedTime(at('old directory'), -86_400, 5);
}
