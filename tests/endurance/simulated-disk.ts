import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { TraceEvent } from './trace-files.ts';

/** A file: what was written, and what of it is sure to be there after the power fails. */
interface Content {
  data: Buffer;
  synced: Buffer | undefined;
}
type Node = Content | 'directory';

/** A directory: names that are sure to be there, and what was done since, in order. */
interface Directory {
  sure: Map<string, Node>;
  since: { name: string; node: Node | undefined }[];
}

/** What the power leaves of what was not made durable. */
export interface Failure {
  /** Of a directory's changes, how many got to the disk: they get there in order, but each directory for itself. */
  changes(count: number): number;
  /** Whether data that was not synced is there. */
  data: boolean;
}

/**
 * A disk as the worst of them is: data lasts once its file was synced, names once their directory was. Replays a trace and shows what is
 * there when the power fails.
 */
export class SimulatedDisk {
  readonly #root: string;
  readonly #directories = new Map<string, Directory>();

  constructor(root: string) {
    this.#root = root;
    this.#directories.set(root, { sure: new Map(), since: [] });
  }

  apply(event: TraceEvent): void {
    if (event.kind === 'done') return;
    const { path } = event;
    if (event.kind === 'mkdir') {
      if (path === this.#root) return;
      this.#directories.set(path, { sure: new Map(), since: [] });
      this.#name(path, 'directory');
    } else if (event.kind === 'create') this.#name(path, { data: Buffer.alloc(0), synced: undefined });
    else if (event.kind === 'remove') this.#name(path, undefined);
    else if (event.kind === 'rename') {
      const node = this.#find(path);
      this.#name(event.to, node);
      this.#name(path, undefined);
    } else if (event.kind === 'sync') this.#sync(path);
    else {
      const file = this.#find(path);
      if (file === undefined || file === 'directory') throw new Error(`the trace writes to ${path}, which is no file`);
      if (event.kind !== 'write') file.data = Buffer.alloc(0);
      else {
        const bytes = Buffer.from(event.data, 'base64');
        file.data = Buffer.concat([file.data.subarray(0, event.at), bytes]);
      }
    }
  }

  /** Writes what is left after a power failure into an empty directory. */
  async write(target: string, failure: Failure, directory = this.#root): Promise<void> {
    await mkdir(target, { recursive: true });
    const { sure, since } = this.#directory(directory);
    const names = new Map(sure);
    for (const { name, node } of since.slice(0, failure.changes(since.length))) {
      if (node === undefined) names.delete(name);
      else names.set(name, node);
    }
    for (const [name, node] of names) {
      if (node === 'directory') await this.write(join(target, name), failure, join(directory, name));
      else await writeFile(join(target, name), failure.data ? node.data : (node.synced ?? ''));
    }
  }

  #sync(path: string): void {
    const directory = this.#directories.get(path);
    if (directory !== undefined) {
      for (const { name, node } of directory.since) {
        if (node === undefined) directory.sure.delete(name);
        else directory.sure.set(name, node);
      }
      directory.since = [];
      return;
    }
    const file = this.#find(path);
    if (file !== undefined && file !== 'directory') file.synced = Buffer.from(file.data);
  }

  #name(path: string, node: Node | undefined): void {
    this.#directory(dirname(path)).since.push({ name: basename(path), node });
  }

  #find(path: string): Node | undefined {
    const { sure, since } = this.#directory(dirname(path));
    const change = since.findLast(({ name }) => name === basename(path));
    return change === undefined ? sure.get(basename(path)) : change.node;
  }

  #directory(path: string): Directory {
    const directory = this.#directories.get(path);
    if (directory === undefined) throw new Error(`the trace is of ${path}, which is no directory`);
    return directory;
  }
}
