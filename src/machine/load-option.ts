import { Buffer } from 'node:buffer';
import { guidText } from './gpt.ts';

/** What a variable `Boot####` starts (UEFI specification 2.10, chapters 3.1.3 and 10.3). */
export interface LoadOption {
  /** As the firmware's menu shows it. */
  name: string;
  active: boolean;
  /** GUID of the partition, lower case; absent: it is on no GPT partition (network, a whole disk, a program of the firmware). */
  partition?: string;
  /** `\EFI\debian\shimx64.efi`. */
  file?: string;
}

/** Parses the value as efivarfs shows it, four bytes of attributes first. Undefined where it is none. */
export function parseLoadOption(variable: Uint8Array): LoadOption | undefined {
  const bytes = Buffer.from(variable.buffer, variable.byteOffset, variable.byteLength).subarray(4);
  if (bytes.length < 8) return undefined;
  let end = 6;
  while (end + 1 < bytes.length && bytes.readUInt16LE(end) !== 0) end += 2;
  const option: LoadOption = {
    name: bytes.toString('utf16le', 6, end),
    active: (bytes.readUInt32LE(0) & 1) !== 0,
  };
  const paths = bytes.subarray(end + 2, end + 2 + bytes.readUInt16LE(4));
  for (let at = 0; at + 4 <= paths.length; ) {
    const [type, subtype] = [paths[at], paths[at + 1]];
    const length = paths.readUInt16LE(at + 2);
    if (length < 4 || at + length > paths.length || type === 0x7f) break;
    const node = paths.subarray(at + 4, at + length);
    // Hard drive, with the signature of a GPT partition; then a path on it.
    if (type === 4 && subtype === 1 && node.length >= 38 && node[37] === 2) option.partition = guidText(node, 20);
    if (type === 4 && subtype === 4)
      option.file = `${option.file ?? ''}${node.toString('utf16le').replace(/\0+$/, '')}`;
    at += length;
  }
  return option;
}

/** `Boot0003` and so on, in the order in which the firmware tries them. */
export function parseBootOrder(variable: Uint8Array | undefined): string[] {
  if (variable === undefined) return [];
  const bytes = Buffer.from(variable.buffer, variable.byteOffset, variable.byteLength);
  const names: string[] = [];
  for (let at = 4; at + 2 <= bytes.length; at += 2) {
    names.push(`Boot${bytes.readUInt16LE(at).toString(16).toUpperCase().padStart(4, '0')}`);
  }
  return names;
}
