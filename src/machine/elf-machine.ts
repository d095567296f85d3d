/** Machines of ELF files (`e_machine` of elf(5)) as `uname -m` calls them. */
const machines: Readonly<Record<number, string>> = {
  3: 'i686',
  21: 'ppc64',
  22: 's390x',
  40: 'armv7l',
  62: 'x86_64',
  183: 'aarch64',
  243: 'riscv64',
  258: 'loongarch64',
};

/** What processor a program is for, by its first 20 bytes; undefined for what is no ELF file, or of none that is known. */
export function elfMachine(head: Uint8Array): string | undefined {
  if (head.length < 20 || head[0] !== 0x7f || head[1] !== 0x45 || head[2] !== 0x4c || head[3] !== 0x46)
    return undefined;
  const [low = 0, high = 0] = [head[18], head[19]];
  const littleEndian = head[5] === 1;
  const machine = machines[littleEndian ? low | (high << 8) : (low << 8) | high];
  return machine === 'ppc64' && littleEndian ? 'ppc64le' : machine;
}
