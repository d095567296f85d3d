import { type FileHandle, open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../cut-plan.ts';

/** Blocks of 4 KiB of the file `churn` of the source, which is overwritten at random places. */
export const churnBlocks = 2048;
const blockSize = 4096;
/** Files that are written anew again and again, in turn. */
const slots = 24;

/** What a process was told to be kept: every file up to number `files`, every overwriting up to number `churn`. */
export interface Acknowledged {
  readonly files: number;
  readonly churn: number;
}

/** A block of `churn` after the overwriting `generation`; 0: as the source has it. Each of its sectors tells what it is. */
export function churnBlock(index: number, generation: number): Buffer {
  const block = Buffer.alloc(blockSize, (index * 31 + generation * 7) & 0xff);
  for (let sector = 0; sector < blockSize; sector += 512) {
    block.writeUInt32LE(generation, sector);
    block.writeUInt32LE(index, sector + 4);
    block.writeUInt32LE(sector, sector + 8);
  }
  return block;
}

/** Which blocks an overwriting is of. */
function churnOf(generation: number): number[] {
  const random = seededRandom(generation * 2_654_435);
  return Array.from({ length: 1 + Math.floor(random() * 24) }, () => Math.floor(random() * churnBlocks));
}

/** The whole content of the file of this number. */
function fileContent(number: number): Buffer {
  const random = seededRandom(number);
  const content = Buffer.alloc(512 + Math.floor(random() * 40_000), number & 0xff);
  for (let at = 0; at + 4 <= content.length; at += 512) content.writeUInt32LE(number, at);
  return content;
}

/** Two processes' work below `root`, one operation after the other each; `tell` hears of each that was synced, before the next one begins. */
export class Work {
  #acknowledged: Acknowledged;
  #stopped = false;
  readonly #ended: Promise<unknown>;
  /** The longest that a sync took, milliseconds. */
  longest = 0;

  constructor(root: string, begin: Acknowledged, tell: (acknowledged: Acknowledged) => Promise<void>, pause = 40) {
    this.#acknowledged = begin;
    const acknowledge = async (more: Partial<Acknowledged>) => {
      this.#acknowledged = { ...this.#acknowledged, ...more };
      await tell(this.#acknowledged);
    };
    const writeFiles = async () => {
      // A new name lasts when its directory was synced.
      await using directory = await open(root, 'r');
      for (let number = begin.files + 1; !this.#stopped; number += 1) {
        await writeSlot(root, number, directory);
        await acknowledge({ files: number });
        await sleep(pause);
      }
    };
    const overwrite = async () => {
      await using file = await open(join(root, 'churn'), 'r+');
      for (let generation = begin.churn + 1; !this.#stopped; generation += 1) {
        for (const index of churnOf(generation))
          await file.write(churnBlock(index, generation), 0, blockSize, index * blockSize);
        const began = performance.now();
        await file.datasync();
        this.longest = Math.max(this.longest, performance.now() - began);
        await acknowledge({ churn: generation });
        await sleep(pause);
      }
    };
    this.#ended = Promise.all([writeFiles(), overwrite()]);
    this.#ended.catch(() => {});
  }

  get acknowledged(): Acknowledged {
    return this.#acknowledged;
  }

  /** Rejects where something could not be written. */
  async stop(): Promise<Acknowledged> {
    this.#stopped = true;
    await this.#ended;
    return this.#acknowledged;
  }
}

async function writeSlot(root: string, number: number, directory: FileHandle): Promise<void> {
  const temporary = join(root, '.new');
  const file = await open(temporary, 'w');
  await file.writeFile(fileContent(number));
  await file.sync();
  await file.close();
  await rename(temporary, join(root, `file-${number % slots}`));
  await directory.sync();
}

/**
 * What is not as it must be below `root`, when this much was acknowledged: the work's files, its overwriting, and all else of the source, whose files
 * `source` has by their names. What was begun and not acknowledged may be there or not.
 */
export async function findLosses(
  root: string,
  acknowledged: Acknowledged,
  source: ReadonlyMap<string, Buffer>,
): Promise<string[]> {
  const losses: string[] = [];
  const names = new Set(await readdir(root));
  for (const [name, content] of source) {
    if (!(await readFile(join(root, name))).equals(content)) losses.push(`${name} of the source differs`);
  }
  for (let slot = 0; slot < slots; slot += 1) {
    const least = acknowledged.files - ((((acknowledged.files - slot) % slots) + slots) % slots);
    if (!names.has(`file-${slot}`)) {
      if (least > 0) losses.push(`file ${least} is not there`);
      continue;
    }
    const content = await readFile(join(root, `file-${slot}`));
    const number = content.length >= 4 ? content.readUInt32LE(0) : -1;
    if (number < least) losses.push(`file ${least} is lost: ${number} is there`);
    else if (number > acknowledged.files + 2) losses.push(`file ${number} is there, before it was written`);
    else if (!content.equals(fileContent(number))) losses.push(`file ${number} is damaged`);
  }
  losses.push(...churnLosses(await readFile(join(root, 'churn')), acknowledged.churn));
  return losses;
}

function churnLosses(content: Buffer, acknowledged: number): string[] {
  if (content.length !== churnBlocks * blockSize) return [`churn has ${content.length} bytes`];
  const losses: string[] = [];
  const [generations, begun] = churnGenerations(acknowledged);
  for (let index = 0; index < churnBlocks; index += 1) {
    const block = content.subarray(index * blockSize, (index + 1) * blockSize);
    const wanted = generations[index] as number;
    if (block.equals(churnBlock(index, wanted))) continue;
    const found = block.readUInt32LE(0);
    const mayBe = begun.some(([generation, blocks]) => generation === found && blocks.includes(index));
    if (mayBe && block.equals(churnBlock(index, found))) continue;
    losses.push(`block ${index} of churn should have ${wanted}, and has ${found} of ${block.readUInt32LE(4)}`);
  }
  return losses;
}

let known: { generation: number; blocks: Uint32Array } = { generation: 0, blocks: new Uint32Array(churnBlocks) };

/** The last overwriting of each block up to this one, and the ones that may have been begun. */
function churnGenerations(acknowledged: number): [Uint32Array, [number, number[]][]] {
  if (known.generation > acknowledged) known = { generation: 0, blocks: new Uint32Array(churnBlocks) };
  for (let generation = known.generation + 1; generation <= acknowledged; generation += 1)
    for (const index of churnOf(generation)) known.blocks[index] = generation;
  known.generation = acknowledged;
  return [known.blocks, [acknowledged + 1, acknowledged + 2].map((each) => [each, churnOf(each)])];
}
