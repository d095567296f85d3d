import { X509Certificate } from 'node:crypto';

/**
 * What UEFI Secure Boot lets through, as far as files tell: shim carries certificates of its distribution, and lets start only what was signed under one of
 * them. Formats: PE/COFF (Microsoft's “PE Format”, attribute certificate table), shim's `.vendor_cert` section (`cert.S` of shim's sources).
 */

/** Signature list of X.509 certificates (UEFI specification 2.10, 32.4.1): EFI_CERT_X509_GUID in the order of its bytes. */
const x509List = 'a159c0a5e494a74a87b5ab155c2bf072';

/** Common names of the certificates that a shim trusts beside the firmware's; none where it carries none, or is no shim. */
export function shimAuthorities(shim: Uint8Array): string[] {
  const section = findSection(Buffer.from(shim.buffer, shim.byteOffset, shim.length), '.vendor_cert');
  if (section === undefined || section.length < 16) return [];
  const length = section.readUInt32LE(0);
  const offset = section.readUInt32LE(8);
  const content = section.subarray(offset, offset + length);
  return certificatesOf(content).flatMap((der) => {
    try {
      const subject = new X509Certificate(der).subject;
      const name = /^CN=(.+)$/m.exec(subject)?.[1];
      return name === undefined ? [] : [name];
    } catch {
      return [];
    }
  });
}

/**
 * Whether an EFI program (a Linux kernel is one) carries a signature that names one of these authorities. It tells who signed, not that the
 * signature is right: the firmware sees to that.
 */
export function isSignedUnder(program: Uint8Array, authorities: readonly string[]): boolean {
  const table = signatureTable(Buffer.from(program.buffer, program.byteOffset, program.length));
  return table !== undefined && authorities.some((name) => table.includes(Buffer.from(name, 'utf8')));
}

/** Whether an EFI program is signed by anybody. */
export function isSigned(program: Uint8Array): boolean {
  return signatureTable(Buffer.from(program.buffer, program.byteOffset, program.length)) !== undefined;
}

function certificatesOf(content: Buffer): Buffer[] {
  if (content.toString('hex', 0, 16) !== x509List) return content.length === 0 ? [] : [content];
  const found: Buffer[] = [];
  // Header of a list: type, length of the list, of its own header, of each signature; a signature begins with its owner's GUID.
  for (let at = 0; at + 28 <= content.length; ) {
    const length = content.readUInt32LE(at + 16);
    if (length < 28) break;
    found.push(content.subarray(at + 28 + content.readUInt32LE(at + 20) + 16, at + length));
    at += length;
  }
  return found;
}

/** Eight bytes, or `/N`: a longer name, at byte N of the table of strings behind the symbols. */
function sectionName(program: Buffer, { strings }: Headers, at: number): string {
  const short = program.toString('latin1', at, at + 8).replace(/\0.*$/s, '');
  if (!/^\/\d+$/.test(short)) return short;
  const start = strings + Number(short.slice(1));
  const end = program.indexOf(0, start);
  return start >= program.length || end < 0 ? '' : program.toString('latin1', start, end);
}

interface Headers {
  /** Byte of the table of strings. */
  strings: number;
  optional: number;
  optionalLength: number;
  sections: number;
}

function headersOf(program: Buffer): Headers | undefined {
  if (program.length < 0x40 || program.toString('latin1', 0, 2) !== 'MZ') return undefined;
  const at = program.readUInt32LE(0x3c);
  if (at + 24 > program.length || program.toString('latin1', at, at + 4) !== 'PE\0\0') return undefined;
  return {
    strings: program.readUInt32LE(at + 12) + program.readUInt32LE(at + 16) * 18,
    optional: at + 24,
    optionalLength: program.readUInt16LE(at + 20),
    sections: program.readUInt16LE(at + 6),
  };
}

function findSection(program: Buffer, name: string): Buffer | undefined {
  const headers = headersOf(program);
  if (headers === undefined) return undefined;
  for (let index = 0; index < headers.sections; index += 1) {
    const at = headers.optional + headers.optionalLength + index * 40;
    if (at + 40 > program.length) return undefined;
    if (sectionName(program, headers, at) !== name) continue;
    const start = program.readUInt32LE(at + 20);
    return program.subarray(start, start + program.readUInt32LE(at + 16));
  }
  return undefined;
}

/** The attribute certificates: data directory number 4, the one that holds a place in the file and not in memory. */
function signatureTable(program: Buffer): Buffer | undefined {
  const headers = headersOf(program);
  if (headers === undefined) return undefined;
  const { optional } = headers;
  if (optional + 152 > program.length || program.readUInt16LE(optional) !== 0x20b) return undefined;
  const start = program.readUInt32LE(optional + 112 + 32);
  const length = program.readUInt32LE(optional + 112 + 36);
  return start === 0 || length < 8 || start + length > program.length
    ? undefined
    : program.subarray(start, start + length);
}
