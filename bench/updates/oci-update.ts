import { linkSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DebianTrees } from '../debian-trees.ts';
import { quoted, type Workshop } from '../workshop.ts';
import { servedUpdate } from './served-update.ts';
import type { Update } from './update.ts';

/**
 * An OCI image in a registry, whose second layer holds what changed, as a build on the old image makes it: a machine that has the first layer pulls the second by
 * skopeo and unpacks it beside, as engines with overlays do.
 */
export async function ociUpdate(workshop: Workshop, trees: DebianTrees): Promise<Update> {
  const served = workshop.prepared('oci-origin', (directory) => commandsFor(trees, directory));
  const image = quoted(join(served, 'image'));
  const digest = publish(served, 'after');
  return await servedUpdate(workshop, {
    ...{ name: 'OCI layer', served },
    begin: (directory) =>
      workshop.run(`skopeo copy -q oci:${image}:before oci:${quoted(join(directory, 'image'))}:before`),
    fetch: (directory, url) => {
      const ours = quoted(join(directory, 'image'));
      const target = quoted(join(directory, 'layer'));
      const from = `docker://${url.slice('http://'.length)}/bench:after`;
      return [
        `skopeo copy -q --src-tls-verify=false ${from} oci:${ours}:after`,
        `mkdir ${target}`,
        `tar -xzpf ${ours}/blobs/sha256/${digest} --numeric-owner --xattrs -C ${target}`,
      ].join(' && ');
    },
  });
}

/** An image of two layers, in the directory `image` of this one. */
function commandsFor(trees: DebianTrees, directory: string): string[] {
  const image = quoted(join(directory, 'image'));
  const tar = quoted(join(directory, 'layer.tar'));
  const changed = join(directory, 'changed');
  const pack = (tree: string) => `tar -C ${quoted(tree)} --numeric-owner --xattrs -cf ${tar} .`;
  const addLayer = (tag: string) => `umoci raw add-layer --image ${image}:before --tag ${tag} ${tar}`;
  return [
    `rm -rf ${image} && umoci init --layout ${image} && umoci new --image ${image}:before`,
    `${pack(trees.before)} && ${addLayer('before')}`,
    `rsync -aHAX --compare-dest=${quoted(`${trees.before}/`)} ${quoted(`${trees.after}/`)} ${quoted(changed)}`,
    `find ${quoted(changed)} -depth -type d -empty -delete`,
    whiteouts(trees, changed),
    `${pack(changed)} && ${addLayer('after')} && rm -rf ${tar} ${quoted(changed)}`,
  ];
}

/** Puts the files of an image where a registry has them; a registry for reading is no more (static-server.ts). The last layer's digest, 64 digits. */
function publish(served: string, tag: string): string {
  const blob = (digest: string) => join(served, 'image/blobs/sha256', digest.slice('sha256:'.length));
  const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as unknown;
  const index = read(join(served, 'image/index.json')) as {
    manifests: { digest: string; annotations: Record<string, string> }[];
  };
  const found = index.manifests.find(({ annotations }) => annotations['org.opencontainers.image.ref.name'] === tag);
  if (found === undefined) throw new Error(`the image has no tag ${tag}`);
  const manifest = read(blob(found.digest)) as { config: { digest: string }; layers: { digest: string }[] };
  const repository = join(served, 'v2/bench');
  rmSync(join(served, 'v2'), { recursive: true, force: true });
  for (const directory of ['manifests', 'blobs']) mkdirSync(join(repository, directory), { recursive: true });
  linkSync(blob(found.digest), join(repository, 'manifests', tag));
  for (const { digest } of [manifest.config, ...manifest.layers])
    linkSync(blob(digest), join(repository, 'blobs', digest));
  return manifest.layers.at(-1)?.digest.slice('sha256:'.length) ?? '';
}

/** Puts a mark for each path that is gone into the layer: `.wh.NAME`, of the OCI image specification. */
function whiteouts({ before, after }: DebianTrees, layer: string): string {
  const [there, marks] = [quoted(after), quoted(layer)];
  const list = (tree: string) => `(cd ${quoted(tree)} && find . | LC_ALL=C sort)`;
  const gone = `LC_ALL=C comm -23 <(${list(before)}) <(${list(after)})`;
  // No process for each path: there are many.
  return [
    `${gone} | while IFS= read -r path; do parent="\${path%/*}"; [ -d ${there}/"$parent" ] || continue`,
    `[ -d ${marks}/"$parent" ] || mkdir -p ${marks}/"$parent"; : > ${marks}/"$parent/.wh.\${path##*/}"; done`,
  ].join('; ');
}
