import { access, readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { ImprintError } from '../foundation/errors.ts';
import { buildCpio, type CpioEntry, padding } from './cpio.ts';
import { checkedModules, imagerPrograms } from './imager-recipe.ts';

/** What differs from server to server, and changes with every build of ours. */
export interface OverlayInput {
  /** Directory of the bundle: `imager.mjs` and whatever it loads from beside it. */
  bundle: string;
  /** Text of the public key file; the imager trusts the answers of this key and of no other. */
  publicKey: string;
  /** Files of `/etc/imprint/trust`, by their paths in it: whom to trust for versions, and what was seen of them. */
  trust?: Readonly<Record<string, string>>;
  /** Time of every file, seconds since 1970. */
  epoch: number;
}

/** The imager's own scripts: file in `boot/imager`, path in the initrd. The kernel runs `init`. */
const scripts = [
  ['first-stage', 'init'],
  ['imager-init', 'overlay/usr/sbin/imager-init'],
  ['leave', 'overlay/usr/sbin/reboot'],
  ['leave', 'overlay/usr/sbin/poweroff'],
  ['imager-selftest', 'overlay/usr/sbin/imager-selftest'],
  ['udhcpc-script', 'overlay/usr/share/udhcpc/default.script'],
] as const;

const groups =
  'root tty:5 disk:6 kmem:15 dialout:20 cdrom:24 tape:26 audio:29 video:44 input:101 kvm:102 render:103 sgx:104 lp:7';
const textFiles: Readonly<Record<string, string>> = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n',
  'etc/group': groups
    .split(' ')
    .map((group) => group.split(':'))
    .map(([name, id = '0']) => `${name}:x:${id}:\n`)
    .join(''),
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
  'etc/hosts': '127.0.0.1 localhost imager\n::1 localhost\n',
  'etc/hostname': 'imager\n',
  'etc/profile': "export PATH=/usr/sbin:/usr/bin TERM=${TERM:-linux}\nPS1='imager:\\w# '\n",
};

/** The overlay as a compressed archive, to follow the base's in the initrd. Errors: `imager-unbuilt`, `io-failed`. */
export async function buildOverlay({ bundle, publicKey, trust, epoch }: OverlayInput): Promise<Uint8Array> {
  const source = await scriptDirectory();
  const entries: CpioEntry[] = [];
  const add = (path: string, content: string | Uint8Array, mode = 0o644) =>
    entries.push({ kind: 'file', path, content: Buffer.from(content), mode });
  for (const [name, path] of scripts) add(path, await readFile(join(source, name)), 0o755);
  for (const [path, text] of Object.entries(textFiles)) add(`overlay/${path}`, text);
  const programs = imagerPrograms().filter((program) => program.required);
  add('overlay/etc/imprint/selftest-programs', programs.map((program) => `${program.name}\n`).join(''));
  add('overlay/etc/imprint/selftest-modules', checkedModules.map((name) => `${name}\n`).join(''));
  add('overlay/etc/imprint/server.pub', publicKey);
  for (const [path, text] of Object.entries(trust ?? {})) add(`overlay/etc/imprint/trust/${path}`, text);
  entries.push({ kind: 'symlink', path: 'overlay/usr/bin/udevd', target: '/usr/bin/udevadm' });
  for (const name of await bundleFiles(bundle))
    add(`overlay/usr/lib/imprint/${name}`, await readFile(join(bundle, name)));
  // What an installed system starts with: an install puts it on its boot partition, and its agent takes it along.
  const boot = dirname(source);
  for (const file of await readdir(boot, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    const path = join(file.parentPath, file.name);
    add(`overlay/usr/lib/imprint/boot/${relative(boot, path)}`, await readFile(path), 0o755);
  }
  const archive = zstdCompressSync(Buffer.concat(buildCpio(entries, epoch)));
  return Buffer.concat([archive, padding(archive.length)]);
}

/** The bundle's programs, without maps: those of the imager, and those of the agent, which an install takes from here. */
async function bundleFiles(bundle: string): Promise<string[]> {
  const names = (await readdir(bundle).catch(() => [])).filter((name) => /\.m?js$/.test(name)).sort();
  if (!names.includes('imager.mjs')) {
    throw new ImprintError('imager-unbuilt', {
      problem: `there is no imager.mjs in ${bundle}`,
      hint: 'Make it: npm run build',
    });
  }
  return names;
}

/** `boot/imager`, beside the sources or the bundle, whichever this runs from. */
async function scriptDirectory(): Promise<string> {
  for (let at = import.meta.dirname; ; at = dirname(at)) {
    const candidate = join(at, 'boot', 'imager');
    const found = await access(join(candidate, 'imager-init')).then(
      () => true,
      () => false,
    );
    if (found) return candidate;
    if (at === dirname(at)) break;
  }
  throw new ImprintError('imager-unbuilt', {
    problem: 'the directory boot/imager of the program is missing',
    hint: 'Run it from a whole checkout.',
  });
}
