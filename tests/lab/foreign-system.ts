/** What stands for Windows on UEFI, for `makeGrubCore`: a program that says a line on the first serial line and stops. */
export const windowsProgram = {
  config: 'serial --unit=0\nterminal_output serial\necho WINDOWS-BY-UEFI\nsleep 2\nhalt\n',
  ...{ prefix: '/none', modules: ['normal', 'echo', 'serial', 'terminal', 'sleep', 'halt'] },
};

/** A real boot record, which says a line on the first serial line and stops. */
export function windowsRecord(): Buffer {
  const code = [
    'fc31c08ed8', // cld; xor ax, ax; mov ds, ax
    'be167c', // mov si, text
    'ac84c0', // next: lodsb; test al, al
    '7406', // jz end
    'baf803ee', // mov dx, 0x3f8; out dx, al
    'ebf5', // jmp next
    'f4ebfd', // end: hlt, for ever
  ].join('');
  const record = Buffer.alloc(512);
  Buffer.from(code, 'hex').copy(record);
  record.write('WINDOWS-BY-BIOS\r\n', 0x16, 'latin1');
  record.writeUInt16LE(0xaa55, 510);
  return record;
}
