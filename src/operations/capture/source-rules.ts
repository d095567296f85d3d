import type { CaptureInput } from '../../contract/operations/capture.ts';
import { displayPath, type RawPath } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { defaultExcludes, globOfPath, parseExcludes, plainDirectories } from '../../machine/exclude.ts';
import { isWithin, leftOutMeaning, relativeTo } from '../../machine/mounts.ts';
import { secretFinder } from '../../machine/secrets.ts';
import type { SelectionRules } from '../../machine/selection.ts';
import type { SourceSurvey } from '../../machine/source-facts.ts';

/** The rules of one capture, and what of them the version record names. */
export interface CaptureRules extends SelectionRules {
  /** All globs that leave something out, the built-in ones too. */
  globs: readonly string[];
  /** The user's globs, mount points left out, and swap files. */
  excluded: string[];
}

/** Checks the user's globs before anything is done. Errors: `usage`. */
export function checkExcludes(globs: readonly string[]): void {
  try {
    parseExcludes(globs);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ImprintError('usage', {
      problem: `${error.message[0]?.toUpperCase()}${error.message.slice(1)}.`,
      hint: 'Globs are explained in docs/capture.md; write /var/cache/* or *.iso.',
    });
  }
}

/**
 * What a capture of `root` leaves out and scrubs. Says aloud which file systems it leaves out.
 *
 * @param alsoLeftOut absolute paths that must not be captured: the store itself
 */
export function rulesFor(
  input: CaptureInput,
  survey: SourceSurvey,
  root: RawPath,
  alsoLeftOut: readonly RawPath[],
  task: Task,
): CaptureRules {
  const relative = (path: RawPath) => relativeTo(root, path);
  const leftOut = survey.mounts.leftOut.map(({ mount, reason }) => {
    task.log(`left out: ${displayPath(mount.mountPoint)} (${mount.type}, ${leftOutMeaning[reason]})`);
    return relative(mount.mountPoint);
  });
  const own = [...survey.swapFiles, ...alsoLeftOut].filter((path) => path !== root && isWithin(path, root));
  const taken = [survey.mounts.root, ...survey.mounts.captured];
  // Where a snapshot may lie that this capture, or another one of the same machine, has made.
  const ownGlobs = [
    ...own.map((path) => globOfPath(relative(path))),
    ...(taken.some((mount) => mount?.type === 'btrfs' || mount?.type === 'xfs') ? ['.imprint-capture-*'] : []),
  ];
  const defaults = survey.isSystem && !input.noDefaultExcludes ? defaultExcludes : [];
  const lostAndFound = survey.mounts.captured.map(
    ({ mountPoint }) => `${globOfPath(relative(mountPoint))}/lost+found/*`,
  );
  const globs = [...defaults, ...(defaults.length > 0 ? lostAndFound : []), ...input.excludes, ...ownGlobs];
  return {
    globs,
    excluder: parseExcludes(globs),
    notEntered: plainDirectories(globs),
    ...(survey.isSystem && !input.keepSecrets ? { secrets: secretFinder() } : {}),
    leftOut: new Set(leftOut),
    excluded: [...input.excludes, ...leftOut.map((path) => `/${path}`), ...own.map((path) => `/${relative(path)}`)],
  };
}
