import { imageNameSchema, tagSchema } from '../contract/image.ts';
import { type Digest, isDigest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';

/** What a reference names. */
export type Reference =
  | { kind: 'newest'; image: string }
  | { kind: 'number'; image: string; number: number }
  | { kind: 'tag'; image: string; tag: string }
  | { kind: 'digest'; image?: string; digest: Digest };

/**
 * A reference as people write it: `web` or `web:latest` (newest), `web:3` or `web:v3`, `web:TAG`, `web@sha256:…`,
 * `sha256:…`. Throws `input-invalid`.
 */
export function parseReference(text: string): Reference {
  if (isDigest(text)) return { kind: 'digest', digest: text };
  const at = text.indexOf('@');
  if (at >= 0) {
    const digest = text.slice(at + 1);
    if (!isDigest(digest)) throw invalid(text, 'after “@” comes sha256: and 64 hexadecimal digits');
    return { kind: 'digest', image: imageOf(text, text.slice(0, at)), digest };
  }
  const colon = text.indexOf(':');
  if (colon < 0) return { kind: 'newest', image: imageOf(text, text) };
  const image = imageOf(text, text.slice(0, colon));
  const rest = text.slice(colon + 1);
  if (rest === 'latest') return { kind: 'newest', image };
  const number = /^v?([1-9]\d{0,8})$/.exec(rest)?.[1];
  if (number !== undefined) return { kind: 'number', image, number: Number(number) };
  if (!tagSchema.safeParse(rest).success) throw invalid(text, `“${rest}” is neither a version number nor a tag`);
  return { kind: 'tag', image, tag: rest };
}

/** The reference as text, in its shortest form: `web`, `web:3`, `web:stable`, `web@sha256:…`. */
export function formatReference(reference: Reference): string {
  switch (reference.kind) {
    case 'newest':
      return reference.image;
    case 'number':
      return `${reference.image}:${reference.number}`;
    case 'tag':
      return `${reference.image}:${reference.tag}`;
    case 'digest':
      return reference.image === undefined ? reference.digest : `${reference.image}@${reference.digest}`;
  }
}

function imageOf(text: string, name: string): string {
  const parsed = imageNameSchema.safeParse(name);
  if (!parsed.success) throw invalid(text, `the name “${name}” must be lower-case letters, digits, “.”, “_” or “-”`);
  return name;
}

function invalid(text: string, problem: string): ImprintError {
  return new ImprintError('input-invalid', { field: `reference “${text}”`, problem });
}
