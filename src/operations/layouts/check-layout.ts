import type { z } from 'zod';
import type { layoutCheck, layoutShow } from '../../contract/operations/layouts.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { examineLayout } from '../../machine/layout-file.ts';
import { renderLayout } from '../../machine/layout-yaml.ts';
import { findLayout } from './find-layout.ts';

type Checked = z.output<typeof layoutCheck.output>;

/** Everything that is wrong with a layout. Errors: `layout-invalid` (it is no YAML), `source-not-found`. */
export function checkLayout({ name, text }: z.output<typeof layoutCheck.input>): Checked {
  if (text !== undefined) return { name, problems: examineLayout(text, name).problems };
  findLayout({ name });
  return { name, problems: [] };
}

/** The failure that the problems amount to; undefined where there are none. */
export function layoutFails({ problems }: Checked): ImprintError | undefined {
  const [first, ...more] = problems;
  if (first === undefined) return undefined;
  const problem = more.length === 0 ? first.problem : `${first.problem} (and ${more.length} more)`;
  return new ImprintError('layout-invalid', { place: first.place, problem });
}

/** A layout as YAML. A file is shown as it was understood. Errors: `layout-invalid`, `source-not-found`. */
export function showLayout({ name, text }: z.output<typeof layoutShow.input>): z.output<typeof layoutShow.output> {
  return { name, text: renderLayout(findLayout({ name, text })) };
}
