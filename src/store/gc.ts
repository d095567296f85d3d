import { rm } from 'node:fs/promises';
import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import { bitAt, countBits } from './chunk-uses.ts';
import type { DirectoryStore } from './directory-store.ts';
import { removeDurably, writeFilesDurably } from './durable.ts';
import { retiredMarkPath, tombstonePath } from './layout.ts';
import { clearManifests } from './manifest-clearing.ts';
import { storedLength } from './pack-chunks.ts';
import { type Condemned, deletePacks, retirePacks, strayFiles } from './pack-deletion.ts';
import { readPackTable } from './pack-tables.ts';
import { repack } from './repack.ts';
import { type StoreSurvey, surveyStore } from './store-survey.ts';
import type { CollectReport } from './transaction.ts';
import { writeUses } from './use-files.ts';

/** Share of a pack's content that must be nobody's before the rest is moved: each byte written frees at least a third of one. */
const rewriteFrom = 0.25;

/**
 * Collects garbage, under the store's lock (docs/store.md): manifests without versions, packs that nobody needs, and
 * partly used packs. Its work grows with what it frees. What needs no room goes first, so that a full disk is no obstacle. Throws
 * `corrupt-record`, `corrupt-manifest` where it cannot be told what is needed, and then has deleted nothing.
 */
export async function collectGarbage(store: DirectoryStore, grace: number, task: Task): Promise<CollectReport> {
  const now = Date.now();
  const report = emptyReport();
  const { survey, deleted } = await clearManifests(store, task);
  report.manifestsDeleted = deleted;
  for (const path of await strayFiles(store)) await removeDurably(store.path(path));
  await deleteDue(store, survey, now, grace, report, (pack) => usedBefore(survey, pack));
  const partly = await partlyUsed(store, survey);
  report.bytesUnreferenced = partly.bytesKept;
  try {
    await rewrite(store, survey, partly.rewrite, now, report, task);
    await deleteDue(store, survey, now, grace, report);
  } catch (error) {
    if (!(error instanceof ImprintError) || error.code !== 'disk-full' || report.bytesFreed === 0) throw error;
    task.warn(`The disk is too full to rewrite packs; what could go without has gone. ${error.message}`);
  }
  countWaiting(survey, now, grace, report);
  return report;
}

/** What `collectGarbage` would do. Takes no lock and changes nothing; beside a writer, what that has just written seems nobody's. */
export async function planCollection(store: DirectoryStore, grace: number, task: Task): Promise<CollectReport> {
  const now = Date.now();
  const survey = await surveyStore(store, task);
  const partly = await partlyUsed(store, survey);
  const report = { ...emptyReport(), manifestsDeleted: survey.orphans.length, bytesUnreferenced: partly.bytesKept };
  for (const [pack, needed] of partly.bytesNeeded) {
    survey.needed.packs.delete(pack);
    retire(survey, pack, [], now);
    report.packsRewritten += 1;
    report.bytesWritten += needed;
  }
  for (const { pack } of due(survey, now, grace)) {
    report.packsDeleted += 1;
    report.bytesFreed += survey.packs.get(pack)?.bytes ?? 0;
    survey.packs.delete(pack);
  }
  countWaiting(survey, now, grace, report);
  return report;
}

function emptyReport(): CollectReport {
  return {
    manifestsDeleted: 0,
    packsDeleted: 0,
    bytesFreed: 0,
    packsWaiting: 0,
    bytesWaiting: 0,
    packsRewritten: 0,
    bytesWritten: 0,
    bytesUnreferenced: 0,
  };
}

/** All that needs room on the disk: use files made anew, partly used packs rewritten, marks. */
async function rewrite(
  store: DirectoryStore,
  survey: StoreSurvey,
  packs: readonly string[],
  now: number,
  report: CollectReport,
  task: Task,
): Promise<void> {
  const temporary = await store.emptyTemporary();
  await using _ = { [Symbol.asyncDispose]: () => rm(temporary, { recursive: true, force: true }) };
  await emptyTombstones(store, temporary);
  await renewUses(store, survey, temporary, now);
  task.expect(
    packs.reduce((sum, pack) => sum + (survey.packs.get(pack)?.bytes ?? 0), 0),
    'bytes',
  );
  const done = await repack(store, survey, packs, temporary, task);
  for (const { pack, users } of done.moved) retire(survey, pack, users, now);
  for (const pack of done.damaged) {
    await store.markPack(pack, true);
    task.warn(`The pack ${pack} is damaged and stays as it is.`);
  }
  report.packsRewritten = done.moved.length;
  report.bytesWritten = done.bytesWritten;
  await retireUnneeded(store, survey, temporary, now);
}

/** Packs that nobody has needed for the grace period; one without a mark has been somebody's until now. */
function due(survey: StoreSurvey, now: number, grace: number): Condemned[] {
  const condemned: Condemned[] = [];
  for (const [pack, state] of survey.packs) {
    if (survey.needed.packs.has(pack) || (state.retired?.since ?? now) > now - grace) continue;
    condemned.push({ pack, users: state.retired?.users ?? (state.markBroken ? [...survey.roots.keys()] : []) });
  }
  return condemned;
}

async function deleteDue(
  store: DirectoryStore,
  survey: StoreSurvey,
  now: number,
  grace: number,
  report: CollectReport,
  spare: (pack: string) => boolean = () => false,
): Promise<void> {
  const gone = await deletePacks(
    store,
    due(survey, now, grace).filter(({ pack }) => !spare(pack)),
  );
  for (const pack of gone) {
    report.packsDeleted += 1;
    report.bytesFreed += survey.packs.get(pack)?.bytes ?? 0;
    survey.packs.delete(pack);
  }
}

/** Whether a use file named a pack that no longer can be believed: its mark must name that version before it goes. */
function usedBefore(survey: StoreSurvey, pack: string): boolean {
  for (const { before } of survey.roots.values()) if (before?.packs.has(pack)) return true;
  return false;
}

function countWaiting(survey: StoreSurvey, now: number, grace: number, report: CollectReport): void {
  for (const [pack, { bytes, retired }] of survey.packs) {
    if (survey.needed.packs.has(pack)) continue;
    report.packsWaiting += 1;
    report.bytesWaiting += bytes;
    const until = (retired?.since ?? now) + grace;
    if (until > now) report.waitingUntil = Math.max(report.waitingUntil ?? 0, until);
  }
}

/** Marks of versions that were removed still hold their records, for those who had just opened them. */
async function emptyTombstones(store: DirectoryStore, temporary: string): Promise<void> {
  const full: string[] = [];
  for (const image of await store.directoryFiles.names('images')) {
    for (const number of (await store.numbers(image)).removed) {
      const path = tombstonePath(image, number);
      if ((await store.files.length(path)) !== 0) full.push(path);
    }
  }
  if (full.length > 0)
    await writeFilesDurably(
      full.map((path) => ({ path: store.path(path), content: '' })),
      temporary,
    );
}

/** Use files that were missing or no longer true: a pack that leaves a version is marked with that version first. */
async function renewUses(store: DirectoryStore, survey: StoreSurvey, temporary: string, now: number): Promise<void> {
  for (const [digest, root] of survey.roots) {
    if (root.recorded) continue;
    for (const pack of root.before?.packs.keys() ?? []) {
      const state = survey.packs.get(pack);
      if (state === undefined || root.uses.packs.has(pack)) continue;
      const users = [...new Set([...(state.retired?.users ?? []), digest])];
      await retirePacks(store, [{ pack, users }], temporary);
      retire(survey, pack, users, now);
    }
    await writeUses(store, digest, root.uses, temporary);
  }
}

/** Marks what nobody needs, and takes the marks away from what is needed again. */
async function retireUnneeded(
  store: DirectoryStore,
  survey: StoreSurvey,
  temporary: string,
  now: number,
): Promise<void> {
  const unneeded: Condemned[] = [];
  for (const [pack, state] of survey.packs) {
    const needed = survey.needed.packs.has(pack);
    if (needed && (state.retired !== undefined || state.markBroken))
      await removeDurably(store.path(retiredMarkPath(pack)));
    if (!needed && state.retired === undefined)
      unneeded.push({ pack, users: state.markBroken ? [...survey.roots.keys()] : [] });
  }
  await retirePacks(store, unneeded, temporary);
  for (const { pack, users } of unneeded) retire(survey, pack, users, now);
}

function retire(survey: StoreSurvey, pack: string, users: readonly Digest[], since: number): void {
  const state = survey.packs.get(pack);
  if (state !== undefined) survey.packs.set(pack, { ...state, retired: { since, users: [...users] } });
}

/** Packs of which only some chunks are needed: those worth rewriting, and what the others keep for nobody. */
async function partlyUsed(
  store: DirectoryStore,
  survey: StoreSurvey,
): Promise<{ rewrite: string[]; bytesNeeded: Map<string, number>; bytesKept: number }> {
  const rewrite: string[] = [];
  const bytesNeeded = new Map<string, number>();
  let bytesKept = 0;
  for (const [pack, use] of survey.needed.packs) {
    const state = survey.packs.get(pack);
    if (state === undefined || state.damaged || countBits(use) === use.chunks) continue;
    const result = await readPackTable(store.files, { pack });
    if ('error' in result) continue;
    let needed = 0;
    let all = 0;
    for (let chunk = 0; chunk < result.table.chunks; chunk += 1) {
      const length = storedLength(result.table, chunk);
      all += length;
      if (bitAt(use, chunk)) needed += length;
    }
    if (all - needed >= all * rewriteFrom) {
      rewrite.push(pack);
      bytesNeeded.set(pack, needed);
    } else bytesKept += all - needed;
  }
  return { rewrite, bytesNeeded, bytesKept };
}
