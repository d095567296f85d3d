/**
 * A kernel that GRUB boots and that does nothing but say on the first serial line `IMPRINT-KERNEL name: ` and its command line, and then
 * reset the machine: thousands of boots in the time of one. Layout: the kernel's `Documentation/arch/x86/boot.rst`.
 */
export function grubKernel(name: string): Buffer {
  const setup = Buffer.alloc(1024);
  setup.writeUInt8(1, 0x1f1);
  setup.writeUInt16LE(0xaa55, 0x1fe);
  setup.writeUInt16LE(0x62eb, 0x200);
  setup.write('HdrS', 0x202, 'latin1');
  setup.writeUInt16LE(0x020a, 0x206);
  // Loaded high.
  setup.writeUInt8(1, 0x211);
  setup.writeUInt32LE(0x100000, 0x214);
  setup.writeUInt32LE(0x7fffffff, 0x22c);
  setup.writeUInt32LE(0x1000, 0x230);
  // Runs anywhere.
  setup.writeUInt8(1, 0x234);
  setup.writeUInt8(12, 0x235);
  setup.writeUInt32LE(4000, 0x238);
  setup.writeBigUInt64LE(0x100000n, 0x258);
  setup.writeUInt32LE(0x10000, 0x260);
  const text = Buffer.from(`\r\nIMPRINT-KERNEL ${name}: \0`, 'latin1');
  const program = Buffer.from(code, 'hex');
  program.writeUInt32LE(program.length, textOffsetAt);
  return Buffer.concat([setup, program, text, Buffer.alloc(8192)]);
}

/** Offset within the code of the text's own offset. */
const textOffsetAt = 14;

/** 32 bits, flat; `esi` is the address of the boot parameters, whose `code32_start` (0x214) says where we lie. */
const code = [
  '8bbe14020000', // mov edi, [esi+0x214]
  '8bae28020000', // mov ebp, [esi+0x228]: the command line
  '8db700000000', // lea esi, [edi+TEXT]
  'b902000000', // mov ecx, 2
  'ac', // next: lodsb
  '84c0', // test al, al
  '7414', // jz end
  '88c3', // mov bl, al
  '66bafd03', // mov dx, 0x3fd
  'ec', // wait: in al, dx
  'a820', // test al, 0x20
  '74fb', // jz wait
  '66baf803', // mov dx, 0x3f8
  '88d8', // mov al, bl
  'ee', // out dx, al
  'ebe7', // jmp next
  '89ee', // end: mov esi, ebp
  '49', // dec ecx
  '75e2', // jnz next
  '66bafd03', // mov dx, 0x3fd
  'ec', // last: in al, dx
  'a820', // test al, 0x20
  '74fb', // jz last
  '66baf803', // mov dx, 0x3f8
  'b00aee', // mov al, 10; out dx, al
  // A reset takes away what the line has not sent yet.
  '66bafd03', // mov dx, 0x3fd
  'ec', // rest: in al, dx
  'a840', // test al, 0x40
  '74fb', // jz rest
  '66baf90c', // mov dx, 0xcf9
  'b006ee', // mov al, 6; out dx, al: reset
  'f4ebfd', // hlt, for ever
].join('');
