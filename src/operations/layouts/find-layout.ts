import type { Layout } from '../../contract/layout.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { parseLayout } from '../../machine/layout-file.ts';
import { builtInLayout, builtInLayouts } from '../../planning/built-in-layouts.ts';

/** A layout as somebody named it. */
export interface NamedLayout {
  name: string;
  text?: string | undefined;
}

/** The layout of that name. Errors: `layout-invalid`, `source-not-found`. */
export function findLayout({ name, text }: NamedLayout): Layout {
  if (text !== undefined) return parseLayout(text, name);
  const builtIn = builtInLayouts.find((each) => each === name);
  if (builtIn !== undefined) return builtInLayout({ layout: builtIn });
  throw new ImprintError('source-not-found', { source: name });
}
