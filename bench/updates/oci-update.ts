import { linkSync, mkdirSync, readFileSync } from 'node:fs';
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
  const served = workshop.empty('oci-served');
  const image = quoted(join(served, 'image'));
  const [base, layer] = ['base.tar', 'layer.tar'].map((name) => quoted(join(served, name)));
  const addLayer = (tar: string | undefined, tag: string) =>
    workshop.run(`umoci raw add-layer --image ${image}:before --tag ${tag} ${tar} && rm ${tar}`);
  workshop.run(`umoci init --layout ${image} && umoci new --image ${image}:before`);
  workshop.run(`tar -C ${quoted(trees.before)} --numeric-owner --xattrs -cf ${base} .`);
  addLayer(base, 'before');
  const changed = join(workshop.empty('oci-changed'), 'tree');
  workshop.run(
    `rsync -aHAX --compare-dest=${quoted(`${trees.before}/`)} ${quoted(`${trees.after}/`)} ${quoted(changed)}`,
  );
  workshop.run(`find ${quoted(changed)} -depth -type d -empty -delete`);
  workshop.run(whiteouts(trees, changed));
  workshop.run(`tar -C ${quoted(changed)} --numeric-owner --xattrs -cf ${layer} .`);
  workshop.remove('oci-changed');
  addLayer(layer, 'after');
  const digest = publish(served, 'after');
  const update = await servedUpdate(workshop, {
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
  workshop.remove('oci-served');
  return update;
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
  for (const directory of ['manifests', 'blobs']) mkdirSync(join(repository, directory), { recursive: true });
  linkSync(blob(found.digest), join(repository, 'manifests', tag));
  for (const { digest } of [manifest.config, ...manifest.layers])
    linkSync(blob(digest), join(repository, 'blobs', digest));
  return manifest.layers.at(-1)?.digest.slice('sha256:'.length) ?? '';
}

/** Puts a mark for each path that is gone into the layer: `.wh.NAME`, of the OCI image specification. */
function whiteouts({ before, after }: DebianTrees, layer: string): string {
  const list = (tree: string) => `(cd ${quoted(tree)} && find . | LC_ALL=C sort)`;
  const gone = `LC_ALL=C comm -23 <(${list(before)}) <(${list(after)})`;
  return `${gone} | while IFS= read -r path; do parent="$(dirname "$path")"; [ -d ${quoted(after)}/"$parent" ] || continue; mkdir -p ${quoted(layer)}/"$parent"; : > ${quoted(layer)}/"$parent/.wh.$(basename "$path")"; done`;
}
