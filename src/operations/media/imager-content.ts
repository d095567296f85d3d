import { builtFileSystems } from '../../contract/image.ts';
import type { UsbMediaInput, UsbMediaOutput } from '../../contract/operations/media.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { liveKernelOptions } from '../../machine/live-start.ts';
import { parseLocalConfig } from '../../machine/local-config.ts';
import { renderLocalTemplate } from '../../machine/local-template.ts';
import { renderMediumMenu } from '../../machine/medium-menu.ts';
import { type MediumNames, mediumNames, mediumPaths } from '../../machine/medium-names.ts';
import { findSignedBoot, type SignedBoot } from '../../system/signed-boot.ts';
import type { Context } from '../context.ts';
import { liveSourceOf } from '../live/live-source-of.ts';
import { startsUnderSecureBoot } from './boot-programs.ts';
import { type ImagerParts, readImager } from './imager-parts.ts';
import { liveImager, type MakeLiveImager } from './live-imager.ts';
import { type MediumStore, openMediumStore, storeFingerprint } from './medium-store.ts';

/** What goes onto a medium with the imager, of whatever form that is. */
export interface ImagerContent extends AsyncDisposable {
  names: MediumNames;
  imager: ImagerParts;
  signed: SignedBoot | undefined;
  /** The versions that it carries. */
  store: MediumStore | undefined;
  localConfig: string;
  /** What the answer says of it. */
  output: Pick<UsbMediaOutput, 'id' | 'images' | 'live' | 'fileSystem' | 'server' | 'key' | 'secureBoot' | 'warnings'>;
  /** The boot menu, where GRUB finds the medium so. */
  menu(search: string): string;
  /** Files of the medium itself: kernel, initial RAM disk, record, `local.cfg`. */
  files(): Record<string, Uint8Array>;
}

/**
 * Gathers the content of a medium, and checks it. While it is open, no version that it carries goes. Errors: `local-config-wrong`, `imager-unbuilt`,
 * `image-not-found`, `live-source-missing`, and those of `openMediumStore` and `liveImager`.
 */
export async function gatherImagerContent(
  context: Context,
  form: 'usb' | 'iso',
  input: Omit<UsbMediaInput, 'target' | 'force'>,
  task: Task,
  makeLive: MakeLiveImager = liveImager,
): Promise<ImagerContent> {
  const [liveReference] = input.live ? input.images : [];
  if (!input.live && input.fileSystem !== undefined)
    throw new ImprintError('input-invalid', {
      field: '--fs',
      problem: 'only a live system has a root of its own: --live',
    });
  if (input.live && liveReference === undefined)
    throw new ImprintError('input-invalid', {
      field: '--live',
      problem: 'name the version that is to run: --image REF',
    });
  const localConfig = input.localConfig ?? renderLocalTemplate();
  const warnings = checkLocalConfig(localConfig);
  // Before the imager is made, which takes minutes.
  const fileSystem = builtFileSystems.find((each) => each === input.fileSystem);
  const built = liveReference && fileSystem && (await liveSourceOf(context, liveReference, fileSystem));
  const imager: ImagerParts & { warnings?: string[] } =
    liveReference === undefined
      ? await readImager(context)
      : await makeLive(context, { reference: liveReference, form, ...(fileSystem && { fileSystem }) }, task);
  warnings.push(...(imager.warnings ?? []));
  const signed = await findSignedBoot();
  const store =
    input.images.length === 0
      ? undefined
      : await task.part('choose content', (part) =>
          openMediumStore(
            context,
            [...input.images, ...(built ? [built.reference] : [])],
            part,
            `${mediumPaths.store}/`,
          ),
        );
  const key = (await context.key()).signer.publicKey.id;
  const { server, kernelOptions } = input;
  const [first] = input.live ? (store?.images ?? []) : [];
  const live = first && {
    image: first.image,
    ...(fileSystem && { fileSystem }),
    options: liveKernelOptions(first.kernelOptions),
  };
  const fingerprint = [
    ...[...imager.fingerprint, key, server ?? '', kernelOptions ?? '', localConfig],
    ...(live === undefined ? [] : ['live', live.image, fileSystem ?? '', ...live.options]),
  ];
  const names = mediumNames([form, ...fingerprint, ...(store === undefined ? [] : storeFingerprint(store))]);
  const kernelTrusted = startsUnderSecureBoot(signed, imager.kernel);
  if (!kernelTrusted) warnings.push(secureBootProblem(signed));
  const images = (store?.images ?? []).map(({ image }) => image);
  const given = { ...(server !== undefined && { server }), ...(kernelOptions !== undefined && { kernelOptions }) };
  return {
    ...{ names, imager, signed, store, localConfig },
    output: {
      id: names.id,
      images: (store?.images ?? []).map(({ image, digest }) => ({ image, digest })),
      ...(live && { live: live.image, fileSystem: fileSystem ?? 'ext4' }),
      ...(server !== undefined && { server }),
      key,
      secureBoot: kernelTrusted,
      warnings,
    },
    menu: (search) =>
      renderMediumMenu({ id: names.id, search, ...given, images, kernelTrusted, ...(live && { live }) }),
    files: () => ({
      [mediumPaths.kernel]: imager.kernel,
      [mediumPaths.initrd]: imager.initrd,
      [mediumPaths.record]: Buffer.from(`${JSON.stringify({ format: 1, id: names.id, images })}\n`),
      [mediumPaths.settings]: Buffer.from(localConfig),
    }),
    [Symbol.asyncDispose]: async () => store?.[Symbol.asyncDispose](),
  };
}

/** What a local.cfg has to say for itself; refused where it is wrong. Throws `local-config-wrong`. */
export function checkLocalConfig(text: string): string[] {
  const answer = parseLocalConfig(Buffer.from(text));
  if (answer.kind === 'settings')
    return answer.remarks.map(({ line, problem }) => `local.cfg, line ${line}: ${problem}`);
  const problems = answer.problems.map(({ line, problem }) => (line === 0 ? problem : `line ${line}: ${problem}`));
  throw new ImprintError('local-config-wrong', { file: 'local.cfg', problems: problems.join('; ') });
}

function secureBootProblem(signed: SignedBoot | undefined): string {
  return signed === undefined
    ? 'it does not start where Secure Boot is on: the packages shim-signed and grub-efi-amd64-signed are not installed here'
    : `it does not start where Secure Boot is on: the imager's kernel is not signed by ${signed.authorities.join(' or ')}`;
}
