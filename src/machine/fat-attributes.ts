/** What the kernel's vfat makes of a mount's options: owners and modes are the mount's, not the files'. */
export interface FatAttributes {
  uid: number;
  gid: number;
  directoryMode: number;
  fileMode: number;
}

/** From the options of fstab; as the kernel's, mounted by root, where they say nothing. */
export function fatAttributes(options: readonly string[]): FatAttributes {
  const option = (name: string) => options.findLast((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  const octal = (text: string | undefined) =>
    text !== undefined && /^[0-7]{1,4}$/.test(text) ? Number.parseInt(text, 8) : undefined;
  const mask = octal(option('umask')) ?? 0o022;
  return {
    uid: Number(option('uid')) || 0,
    gid: Number(option('gid')) || 0,
    directoryMode: 0o777 & ~(octal(option('dmask')) ?? mask),
    fileMode: 0o777 & ~(octal(option('fmask')) ?? mask),
  };
}
