/** What firmware says of a machine, cleaned of what makers forgot to fill in. */

const placeholders =
  /^(to be filled.*|not (specified|applicable|available)|none|n\/a|default string|system (serial number|product name|manufacturer)|unknown|0+|x+|123456789|0123456789|empty|oem|chassis serial number)$/i;

/** A DMI text, undefined where it says nothing. */
export function dmiText(text: string | undefined): string | undefined {
  const trimmed = text?.trim();
  return trimmed === undefined || trimmed === '' || placeholders.test(trimmed) ? undefined : trimmed;
}

/** A DMI UUID in lower case, undefined where it is none or one that many boards share. */
export function dmiUuid(text: string | undefined): string | undefined {
  const uuid = text?.trim().toLowerCase() ?? '';
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)) return undefined;
  const digits = uuid.replaceAll('-', '');
  const shared =
    /^(.)\1{31}$/.test(digits) || uuid === '03000200-0400-0500-0006-000700080009' || /^0123456789/.test(digits);
  return shared ? undefined : uuid;
}

/** The serial number in a SCSI disk's vital product data, page 0x80 (`/sys/block/sda/device/vpd_pg80`). */
export function scsiSerial(page: Uint8Array): string | undefined {
  if (page.length < 5 || page[1] !== 0x80) return undefined;
  const length = ((page[2] ?? 0) << 8) | (page[3] ?? 0);
  const text = Buffer.from(page.subarray(4, 4 + length))
    .toString('latin1')
    .replaceAll('\0', '')
    .trim();
  return text === '' ? undefined : text;
}

/** First `model name` of `/proc/cpuinfo`. */
export function cpuModel(cpuinfo: string): string | undefined {
  return /^model name\s*:\s*(.+)$/m.exec(cpuinfo)?.[1]?.trim();
}

/** Bytes of memory, from `/proc/meminfo`. */
export function totalMemory(meminfo: string): number {
  return Number(/^MemTotal:\s*(\d+) kB$/m.exec(meminfo)?.[1] ?? 0) * 1024;
}
