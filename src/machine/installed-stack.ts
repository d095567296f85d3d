import type { InitramfsKind } from './boot-arguments.ts';

/** What lies between the partitions of a machine and its file systems, as the install made it: arrays, encrypted devices, volume groups. */
export interface InstalledStack {
  raids: InstalledRaid[];
  crypts: InstalledCrypt[];
  groups: InstalledGroup[];
}

export interface InstalledRaid {
  name: string;
  /** As mdadm has it: `0123abcd:…`, four words. */
  uuid: string;
  metadata: string;
  /** The root of a system lies on it, or its `/usr`: its initial RAM disk has to set it in motion. */
  root?: true;
}

export interface InstalledCrypt {
  name: string;
  /** Of its LUKS header. */
  uuid: string;
  /** File with the key, in the system; absent: somebody says the passphrase at each boot. */
  keyFile?: string;
  root?: true;
}

export interface InstalledGroup {
  name: string;
  root?: true;
}

/** A UUID as mdadm has it. */
export function raidUuid(uuid: string): string {
  return uuid.replaceAll('-', '').toLowerCase().match(/.{8}/g)?.join(':') ?? uuid;
}

/** The device of a logical volume below `/dev/mapper`, where a hyphen of a name is two: by this name every initial RAM disk finds it. */
export function volumeDevice(group: string, volume: string): string {
  const doubled = (name: string) => name.replaceAll('-', '--');
  return `/dev/mapper/${doubled(group)}-${doubled(volume)}`;
}

const mark = '# Written by Imprint for this machine.';

/** `mdadm.conf` with this machine's arrays and none of the golden machine's. `given`: what the image has. */
export function renderMdadmConf(raids: readonly InstalledRaid[], given = ''): string {
  const kept = given
    .split('\n')
    .filter((line) => !/^\s*ARRAY\b/i.test(line) && line !== mark)
    .join('\n')
    .trim();
  const arrays = raids.map(({ name, uuid, metadata }) => `ARRAY /dev/md/${name} metadata=${metadata} UUID=${uuid}`);
  // Without somebody to tell, what watches arrays does not start, which is a failed unit.
  const monitor = /^\s*(MAILADDR|PROGRAM)\b/im.test(kept) ? [] : ['MAILADDR root'];
  return `${[...(kept === '' ? [] : [kept]), mark, ...monitor, ...arrays].join('\n')}\n`;
}

/** `/etc/crypttab`: of the golden machine's encrypted devices none is here. */
export function renderCrypttab(crypts: readonly InstalledCrypt[]): string {
  const lines = crypts.map(({ name, uuid, keyFile, root }) =>
    [name, `UUID=${uuid}`, keyFile ?? 'none', root ? 'luks,discard,initramfs' : 'luks,discard'].join('\t'),
  );
  return `${[mark, ...lines].join('\n')}\n`;
}

/** Files of a system that are written for its stack. */
export function stackFileNames(stack: InstalledStack | undefined): string[] {
  return [
    ...(stack !== undefined && stack.crypts.length > 0 ? ['/etc/crypttab'] : []),
    ...(stack !== undefined && stack.raids.length > 0 ? ['mdadm.conf'] : []),
  ];
}

/** A file of the boot addition by which the image's own initial RAM disk learns of this machine's devices. */
export interface StackFile {
  path: string;
  content: string;
}

/** Files that an initial RAM disk of either kind reads for what lies below a root (docs/boot-addition.md). */
export function initramfsFiles(stack: InstalledStack | undefined): StackFile[] {
  if (stack === undefined) return [];
  const raids = stack.raids.filter(({ root }) => root);
  const crypts = stack.crypts.filter(({ root }) => root);
  const files: StackFile[] = [];
  if (stack.raids.length > 0) {
    // Any other array is the system's: begun here with a disk gone it would stay as it is, for mdadm's rules of udev start what is not whole, after a while, only where they began it.
    const content = `${renderMdadmConf(raids)}AUTO -all\n`;
    // Debian's place, and that of the others.
    files.push({ path: 'etc/mdadm/mdadm.conf', content }, { path: 'etc/mdadm.conf', content });
  }
  if (crypts.length > 0) {
    const lines = (place: (crypt: InstalledCrypt) => string, options: string) =>
      crypts.map((each) => `${each.name} UUID=${each.uuid} ${place(each)} ${options}\n`).join('');
    const ofDebian = ({ name, keyFile }: InstalledCrypt) => (keyFile === undefined ? 'none' : initramfsKey(name));
    // initramfs-tools; dracut.
    files.push({ path: 'cryptroot/crypttab', content: lines(ofDebian, 'luks,discard') });
    files.push({ path: 'etc/crypttab', content: lines(ofDebian, 'luks,discard') });
  }
  return files;
}

/** Where the key of an encrypted device lies in an initial RAM disk. */
export function initramfsKey(name: string): string {
  return `/cryptroot/keyfiles/${name}.key`;
}

/** Words of the kernel's command line by which dracut sets in motion what lies below the root; initramfs-tools needs none. */
export function stackArguments(stack: InstalledStack | undefined, initramfs: InitramfsKind): string[] {
  if (stack === undefined || initramfs !== 'dracut') return [];
  const below = <Part extends { root?: true }>(parts: readonly Part[]) => parts.filter(({ root }) => root);
  return [
    ...below(stack.raids).map(({ uuid }) => `rd.md.uuid=${uuid}`),
    ...below(stack.crypts).map(({ name, uuid }) => `rd.luks.name=${uuid}=${name}`),
    ...below(stack.groups).map(({ name }) => `rd.lvm.vg=${name}`),
  ];
}
