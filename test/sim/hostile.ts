/**
 * Media that break their word: bits rot, a write is lost or lands elsewhere, reads fail a while,
 * blocks next to each other die, the newest superblock is stale, a flush lied.
 *
 * Required of what is found then: a StoreError, or a head that once was, with every page right or
 * refused; what is missing behind the head is in the report of verify, exactly. Damage that leaves
 * a whole copy of everything (a stale superblock, one dead ring, reads that fail once) must lose
 * nothing at all.
 */
import { FIRST_SEGMENT, RING_BLOCKS } from '../../vm/store/format.ts';
import { Journal } from '../../vm/store/journal.ts';
import { recover } from '../../vm/store/recovery.ts';
import { PAGE_BYTES } from '../../vm/store/storage.ts';
import { StoreError } from '../../vm/store/store-error.ts';
import { checkAllPages, checkRecord, type Losses, textOf } from './check.ts';
import type { Checker, ProvingView } from './checker.ts';
import { Block, Disk, type Medium, type Slot, Unreadable } from './disk.ts';
import { type Model, type ModelGeneration, Violation } from './model.ts';
import type { Random } from './random.ts';

/** The ways to damage a medium; those of `EXACT` may lose nothing. */
export const DAMAGES = [
  'rot', // some bits turn
  'lost', // a block reads as what lay there before, or as zeros
  'misdirected', // a block landed on another
  'swapped', // two blocks landed in each other's place
  'unreadable', // a block cannot be read any more
  'dying', // eight blocks side by side cannot be read
  'flashPage', // the blocks around one being written turn into all ones
  'flaky', // some reads fail once
  'ring', // a ring of superblocks is gone
  'rottenRing', // a bit turns in the fields of a superblock, in one ring
  'staleSuperblock', // the newest superblock never came through
] as const;
export type Damage = (typeof DAMAGES)[number];
const EXACT: readonly Damage[] = ['flaky', 'ring', 'rottenRing', 'staleSuperblock'];

/** Where in a superblock what it says lies, behind magic, version and checksum. */
const SUPERBLOCK_FIELDS = { begin: 24, bytes: 100 };

/** What was ever written, acknowledged or not, by generation number. */
export type Ever = ReadonlyMap<number, readonly ModelGeneration[]>;

export interface HostileCase {
  /** A crash image and the model it was found to hold. */
  medium: Medium;
  model: Model;
  ever: Ever;
  segmentBytes: number;
  /** What lay on the medium some operations ago. */
  older: Medium;
}

/** Damages a medium in one way and checks what is left; answers the damaged medium. */
export function checkHostile(
  { medium, model, ever, segmentBytes, older }: HostileCase,
  checker: Checker,
  damage: Damage,
  random: Random,
): Medium {
  const damaged = medium.with(inflict(damage, medium, older, segmentBytes, random));
  try {
    compare(damaged, model, ever, checker, EXACT.includes(damage));
  } catch (error) {
    if (error instanceof Violation) throw new Violation(`after ${damage}: ${error.message}`);
    throw error;
  }
  return damaged;
}

/**
 * Checks a medium on which flushes have lied: nothing of what was acknowledged needs to be there,
 * but what is there must be right.
 */
export function checkLied(medium: Medium, model: Model, ever: Ever, checker: Checker): void {
  compare(medium, model, ever, checker, false);
}

function compare(medium: Medium, model: Model, ever: Ever, checker: Checker, exact: boolean): void {
  const disk = new Disk(medium);
  let view: ProvingView;
  try {
    view = checker.view(disk, recover(disk));
  } catch (error) {
    if (error instanceof StoreError && !exact) return;
    throw error;
  }
  const head = view.head.number;
  // One that was being written may count when the flushed one before it cannot be read any more.
  if (head > model.head && !ever.has(head)) {
    throw new Violation(`the head is ${head}, of ${model.head} ever made`);
  }
  if (exact && head !== model.head)
    throw new Violation(`the head is ${head}, wanted ${model.head}`);
  const losses: Losses = { pages: [], generations: [] };
  const listed = new Set<number>();
  for (const { number } of view.generations()) {
    listed.add(number);
    checkOneOf(view, number, ever.get(number) ?? [], losses);
  }
  for (const number of model.generations.keys()) {
    if (number <= head && !listed.has(number)) losses.generations.push(number);
  }
  checkChanges(view, model, exact);
  if (head === model.head) checkReport(medium, losses, exact);
}

/** The change log: what is left in the right order; gaps are told, only its end may be silent. */
function checkChanges(view: ProvingView, model: Model, exact: boolean): void {
  let told = 0;
  const found = [...view.changes(0, () => told++)].map(textOf);
  let at = 0;
  let gaps = 0;
  for (const text of found) {
    const next = model.changes.indexOf(text, at);
    if (next < 0) throw new Violation('a change record that never was, or in the wrong order');
    if (next > at) gaps++;
    at = next + 1;
  }
  if (gaps > 0 && told === 0)
    throw new Violation('change records are missing, and nothing is said');
  const lost = model.changes.length - found.length;
  if (exact && lost > 0) throw new Violation(`${lost} change records are lost`);
}

/** Every loss is in the report of verify, and nothing else is. */
function checkReport(medium: Medium, losses: Losses, exact: boolean): void {
  const count = losses.pages.length + losses.generations.length;
  if (exact && count > 0) throw new Violation(`lost: ${JSON.stringify(losses)}`);
  if (count === 0) return;
  const options = {
    write: false,
    wallClockMs: 0,
    random: (bytes: number) => new Uint8Array(bytes),
  };
  const journal = Journal.open(new Disk(medium), options);
  const report = journal.verify();
  if (report.ok) throw new Violation(`verify says all is well, but ${JSON.stringify(losses)}`);
  for (const [generation, page] of losses.pages) {
    // A block is reported once, under the newest generation that reaches it.
    const told = report.problems.some(
      (problem) => problem.generation >= generation && [page, null].includes(problem.page),
    );
    if (!told) throw new Violation(`verify is silent about page ${page} of ${generation}`);
  }
  const bytes = new Uint8Array(PAGE_BYTES);
  for (const { generation, page } of report.problems) {
    if (page === null || page >= 2 * 2 ** 40 || !journal.generation(generation)) continue;
    let readable = true;
    try {
      journal.readPage(generation, page, bytes);
    } catch {
      readable = false;
    }
    // What only a replaced version held is told as well: then the page itself reads.
    if (readable && losses.pages.length === 0 && losses.generations.length === 0) {
      throw new Violation(`verify reports page ${page} of ${generation}, which reads`);
    }
  }
}

function checkOneOf(
  view: ProvingView,
  number: number,
  candidates: readonly ModelGeneration[],
  losses: Losses,
): void {
  const reasons: string[] = [];
  for (const candidate of candidates) {
    try {
      checkRecord(view, candidate, false);
      checkPages(view, candidate, losses);
      return;
    } catch (error) {
      if (error instanceof StoreError) {
        losses.generations.push(number);
        return;
      }
      if (!(error instanceof Violation)) throw error;
      reasons.push(error.message);
    }
  }
  throw new Violation(reasons.join('; or: ') || `generation ${number} never was`);
}

/** By proof when all is there, else page by page with a list of what is not. */
function checkPages(view: ProvingView, wanted: ModelGeneration, losses: Losses): void {
  try {
    view.checkPages(wanted);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    checkAllPages(view, wanted, losses);
  }
}

function inflict(
  damage: Damage,
  medium: Medium,
  older: Medium,
  segmentBytes: number,
  random: Random,
): Map<number, Slot> {
  const { blocks } = medium;
  const used = [...blocks.keys()].filter((at) => blocks[at] !== null);
  const victim = random.pick(used);
  const changes = new Map<number, Slot>();
  const die = (at: number, failures: number): void => {
    changes.set(at, new Unreadable(blocks[at] ?? null, failures));
  };
  switch (damage) {
    case 'rot':
      for (let count = 1 + random.below(3); count > 0; count--) {
        const at = random.pick(used);
        changes.set(at, rotten(blocks[at] as Block, random));
      }
      break;
    case 'lost': {
      const past = older.blocks[victim] ?? null;
      changes.set(victim, past === blocks[victim] ? null : past);
      break;
    }
    case 'misdirected':
      changes.set(victim, blocks[random.pick(used)] ?? null);
      break;
    case 'swapped': {
      const other = random.pick(used);
      changes.set(victim, blocks[other] ?? null).set(other, blocks[victim] ?? null);
      break;
    }
    case 'unreadable':
      die(victim, Number.POSITIVE_INFINITY);
      break;
    case 'dying':
      for (let at = victim; at < Math.min(victim + 8, blocks.length); at++) {
        die(at, Number.POSITIVE_INFINITY);
      }
      break;
    case 'flashPage': {
      const written = [...medium.changed.keys()];
      const at = written.length > 0 ? random.pick(written) : victim;
      const size = random.pick([4, 8, 16]);
      const ones = new Block(new Uint8Array(PAGE_BYTES).fill(0xff));
      for (let near = at - (at % size); near < at - (at % size) + size; near++) {
        if (near < blocks.length) changes.set(near, ones);
      }
      break;
    }
    case 'flaky':
      for (const at of used) if (random.chance(20)) die(at, 1);
      break;
    case 'ring': {
      const begin = random.chance(50) ? 0 : segmentBytes / PAGE_BYTES;
      const dead = random.chance(50);
      for (let at = begin; at < begin + RING_BLOCKS; at++) {
        if (dead) die(at, Number.POSITIVE_INFINITY);
        else changes.set(at, null);
      }
      break;
    }
    case 'rottenRing': {
      const ring = random.chance(50) ? 0 : segmentBytes / PAGE_BYTES;
      const places = Array.from({ length: RING_BLOCKS }, (_, slot) => ring + slot);
      const at = random.pick(places.filter((place) => blocks[place]));
      const bytes = (blocks[at] as Block).bytes.slice();
      const byte = SUPERBLOCK_FIELDS.begin + random.below(SUPERBLOCK_FIELDS.bytes);
      bytes[byte] = (bytes[byte] as number) ^ (1 << random.below(8));
      changes.set(at, new Block(bytes));
      break;
    }
    case 'staleSuperblock':
      return withoutNewestSuperblock(medium, segmentBytes / PAGE_BYTES);
  }
  return changes;
}

function rotten(block: Block, random: Random): Block {
  const bytes = block.bytes.slice();
  const at = random.below(PAGE_BYTES);
  bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
  return new Block(bytes);
}

/** Takes the newest superblock out of both rings, unless it is the only one. */
function withoutNewestSuperblock(medium: Medium, perSegment: number): Map<number, Slot> {
  const numbers = new Map<number, number>();
  for (let slot = 0; slot < RING_BLOCKS; slot++) {
    for (const at of [slot, perSegment + slot]) {
      const bytes = medium.blocks[at]?.bytes;
      if (!bytes) continue;
      const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(24, true);
      numbers.set(slot, Math.max(number, numbers.get(slot) ?? 0));
    }
  }
  const real = [...numbers].filter(([, number]) => number > 0).sort(([, a], [, b]) => b - a);
  const newest = real[0];
  if (!newest || real.length < FIRST_SEGMENT) return new Map();
  return new Map([
    [newest[0], null],
    [perSegment + newest[0], null],
  ]);
}
