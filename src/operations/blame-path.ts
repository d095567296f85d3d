import { diffArrays } from 'diff';
import type { z } from 'zod';
import type { ImageBlame, imageBlame } from '../contract/operations/comparisons.ts';
import { type Digest, displayPath } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import { changedAttributes, type EntryAttribute, entryAttributes } from '../image/diff.ts';
import type { Entry } from '../image/entry.ts';
import type { Store, StoredVersion } from '../store/store.ts';
import type { Context } from './context.ts';
import { attributeWords } from './describe-attribute.ts';
import { findEntry, rawArgument } from './find-entry.ts';
import { PackageSurvey } from './installed-packages.ts';
import { readContents } from './read-contents.ts';

/** Text longer than this is told by attribute alone: nobody reads a blame of it. */
const textLimit = 4 << 20;

/** A version with what it has at the path. */
interface Station {
  version: StoredVersion;
  entry: Entry;
}

/**
 * Which version gave a path what it has now: each attribute, and each line where it is text. The versions of the image are
 * followed back from the one named, as long as the path was there; one whose digest equals its neighbour's is not read again.
 */
export async function blamePath(
  context: Context,
  input: z.output<typeof imageBlame.input>,
  task: Task,
): Promise<ImageBlame> {
  const store = await context.store();
  const newest = await store.resolve(input.reference, 'look');
  const { image, number } = newest.record;
  const reference = `${image}:${number}`;
  const path = rawArgument(input.path);
  const entry = await findEntry(store, digestOf(newest), path, reference, { follow: true, signal: task.signal });
  const stations = await history(store, newest, entry, task);
  const owner = await ownerOf(store, newest, entry, task.signal);
  const attributes = entryAttributes
    .filter((attribute) => applies(entry, attribute))
    .map((attribute) => ({
      attribute,
      since: since(stations, attribute),
      value: attributeWords(entry, attribute),
    }));
  const lines = await blameLines(store, stations, task.signal);
  const named = new Set([...attributes, ...(lines ?? [])].map((each) => each.since));
  return {
    reference,
    path: entry.path === '' ? '.' : displayPath(entry.path),
    versions: stations
      .map(({ version }) => version.record)
      .filter((record) => named.has(record.number))
      .map(({ number: each, created, message }) => ({
        number: each,
        created,
        ...(message === undefined ? {} : { message }),
      })),
    attributes,
    ...(owner === undefined ? {} : { package: owner }),
    ...(lines === undefined ? {} : { lines }),
  };
}

/** The path in the version named and in those before it, newest first, up to the one that it came with. */
async function history(store: Store, newest: StoredVersion, entry: Entry, task: Task): Promise<Station[]> {
  const stations: Station[] = [{ version: newest, entry }];
  const versions = (await store.versions(newest.record.image)).filter(
    ({ record }) => record.number < newest.record.number,
  );
  task.expect(versions.length, 'items');
  for (const version of versions.toReversed()) {
    const known = stations.at(-1) as Station;
    const same = version.record.digest === known.version.record.digest;
    const before = same ? known.entry : await entryAt(store, version, entry, task.signal);
    if (before === undefined) break;
    stations.push({ version, entry: before });
    task.advance(1);
  }
  return stations;
}

async function entryAt(
  store: Store,
  version: StoredVersion,
  { path }: Entry,
  signal: AbortSignal,
): Promise<Entry | undefined> {
  try {
    return await findEntry(store, digestOf(version), path, '', { follow: false, signal });
  } catch (error) {
    if (error instanceof ImprintError && error.code === 'path-not-found') return undefined;
    throw error;
  }
}

/** The oldest version since which nothing changed about the attribute. */
function since(stations: readonly Station[], attribute: EntryAttribute): number {
  let index = 0;
  for (; index + 1 < stations.length; index += 1) {
    const [now, before] = [stations[index], stations[index + 1]];
    if (now === undefined || before === undefined) break;
    if (changedAttributes(before.entry, now.entry).includes(attribute)) break;
  }
  return stations[index]?.version.record.number ?? 0;
}

function applies({ type, ...entry }: Entry, attribute: EntryAttribute): boolean {
  if (attribute === 'content' || attribute === 'size') return type === 'file';
  if (attribute === 'holes') return entry.segments !== undefined;
  if (attribute === 'xattr') return (entry.xattrs ?? []).length > 0;
  if (attribute === 'target') return entry.target !== undefined;
  if (attribute === 'device') return entry.major !== undefined;
  return true;
}

/** Each line with the version that it is from; undefined where the path is no text. */
async function blameLines(
  store: Store,
  stations: readonly Station[],
  signal: AbortSignal,
): Promise<{ since: number; text: string }[] | undefined> {
  const [first] = stations;
  if (first === undefined) return undefined;
  const now = await linesOf(store, first, signal);
  if (now === undefined) return undefined;
  const blamed = now.map((text) => ({ since: 0, text }));
  // For each line of the station at hand, where it is in the newest one; undefined where it went away later.
  let places: (number | undefined)[] = now.map((_, index) => index);
  let lines = now;
  for (const [index, station] of stations.entries()) {
    const before = stations[index + 1];
    const older = before === undefined ? undefined : await olderLines(store, station, before, lines, signal);
    const rest: (number | undefined)[] = [];
    let at = 0;
    for (const { added, removed, value } of diffArrays(older ?? [], lines)) {
      for (let count = 0; count < value.length; count += 1) {
        if (removed) rest.push(undefined);
        else {
          const place = places[at];
          at += 1;
          if (!added) rest.push(place);
          else if (place !== undefined)
            blamed[place] = { ...(blamed[place] ?? { text: '' }), since: numberOf(station) };
        }
      }
    }
    if (older === undefined) break;
    lines = older;
    places = rest;
  }
  return blamed;
}

/** Lines of the version before; the same array where the content is the same, undefined where it was no text. */
async function olderLines(
  store: Store,
  { entry }: Station,
  before: Station,
  lines: string[],
  signal: AbortSignal,
): Promise<string[] | undefined> {
  if (!changedAttributes(before.entry, entry).includes('content')) return lines;
  return linesOf(store, before, signal);
}

async function linesOf(store: Store, { version, entry }: Station, signal: AbortSignal): Promise<string[] | undefined> {
  if (entry.type !== 'file' || (entry.size ?? 0) > textLimit) return undefined;
  const content = (await readContents(store, digestOf(version), [entry], signal)).get(entry.path);
  if (content === undefined || content.includes(0)) return undefined;
  const lines = content.toString('utf8').split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** The package that a path belongs to, with its version. */
async function ownerOf(store: Store, version: StoredVersion, { path }: Entry, signal: AbortSignal) {
  const survey = new PackageSurvey();
  const digest = digestOf(version);
  for await (const batch of store.entries(digest)) for (const entry of batch) survey.see(entry);
  const { owners, packages } = await survey.read(store, digest, signal);
  const id = owners.get(path);
  const found = packages.find((each) => each.id === id);
  return found === undefined ? undefined : { id: found.id, version: found.version };
}

function digestOf({ record }: StoredVersion): Digest {
  return record.digest as Digest;
}

function numberOf({ version }: Station): number {
  return version.record.number;
}
