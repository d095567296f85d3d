/** What an image has of the programs that set arrays, volumes and encrypted devices in motion, as the paths of its manifest tell. */
export type StoragePart =
  | 'mdadm'
  | 'lvm'
  | 'cryptsetup'
  | 'thin_check'
  | 'hook-mdadm'
  | 'hook-lvm2'
  | 'hook-cryptroot'
  | 'hook-thin'
  | 'dracut-mdraid'
  | 'dracut-lvm'
  | 'dracut-crypt';

const programs = /^(?:usr\/)?s?bin\/(mdadm|lvm|cryptsetup|thin_check)$/;
/** Of initramfs-tools: each hook puts its programs into every initial RAM disk, whatever the golden machine's own disks are. */
const hooks = /^usr\/share\/initramfs-tools\/hooks\/(mdadm|lvm2|cryptroot|thin-provisioning-tools)$/;
const dracut = /^(?:usr\/)?lib\/dracut\/modules\.d\/\d+(mdraid|lvm|crypt)\/module-setup\.sh$/;

/** What the file at a path of a version (without a slash in front) is of it. */
export function storagePart(path: string): StoragePart | undefined {
  const program = programs.exec(path)?.[1];
  if (program !== undefined) return program as StoragePart;
  const hook = hooks.exec(path)?.[1];
  if (hook !== undefined) return hook === 'thin-provisioning-tools' ? 'hook-thin' : (`hook-${hook}` as StoragePart);
  const module = dracut.exec(path)?.[1];
  return module === undefined ? undefined : (`dracut-${module}` as StoragePart);
}
