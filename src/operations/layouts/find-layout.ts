import type { SourceFacts } from '../../contract/image.ts';
import type { Layout } from '../../contract/layout.ts';
import { parseLayout } from '../../machine/layout-file.ts';
import { type LayoutComments, renderLayout } from '../../machine/layout-yaml.ts';
import { builtInLayout, builtInLayouts } from '../../planning/built-in-layouts.ts';
import { captureLayout } from '../../planning/capture-layout.ts';
import type { Context } from '../context.ts';

/** A layout as somebody named it. */
export interface NamedLayout {
  name: string;
  text?: string | undefined;
}

/** The layout of that name: of a file's text, built in, or that of an image's golden machine. Errors: `layout-invalid`, `image-not-found`. */
export async function findLayout(context: Context, { name, text }: NamedLayout): Promise<Layout> {
  if (text !== undefined) return parseLayout(text, name);
  const builtIn = builtInLayouts.find((each) => each === name);
  if (builtIn !== undefined) return builtInLayout({ layout: builtIn });
  // Through its text: what is not whole is refused with the line that says so.
  return parseLayout(capturedText(await imageFacts(context, name)).text, `the layout of ${name}`);
}

/** Whether it is that of an image's golden machine. */
export function isImageLayout({ name, text }: NamedLayout): boolean {
  return text === undefined && !builtInLayouts.some((each) => each === name);
}

/** What the record of an image tells of its golden machine. Errors: `image-not-found`. */
export async function imageFacts(context: Context, reference: string): Promise<SourceFacts> {
  return (await (await context.store()).find(reference)).record.source;
}

/** A captured layout as it is written to a file. */
export function capturedText(facts: SourceFacts): { text: string; warnings: string[] } {
  const { layout, comments, head, warnings } = captureLayout(facts);
  return { text: renderLayout(layout, comments, head), warnings };
}

/** A layout as YAML; of an image, with remarks. Errors as `findLayout`. */
export async function layoutText(context: Context, named: NamedLayout): Promise<string> {
  if (isImageLayout(named)) return capturedText(await imageFacts(context, named.name)).text;
  const none: LayoutComments = new Map();
  return renderLayout(await findLayout(context, named), none);
}
