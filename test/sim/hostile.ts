/**
 * Media that break their word: bits rot, a write lands on the wrong block, reads fail for a while,
 * blocks next to each other die, the newest superblocks are stale. Required: a clear StoreError, or
 * an older head and unreadable pages; never a wrong page, never another kind of error.
 */
import { Journal } from '../../vm/store/journal.ts';
import { PAGE_BYTES } from '../../vm/store/storage.ts';
import { StoreError } from '../../vm/store/store-error.ts';
import {
  checkGeneration,
  type Losses,
  type Model,
  type ModelGeneration,
  Violation,
} from './model.ts';
import type { Random } from './random.ts';
import { type Image, SimStorage } from './sim-storage.ts';

const DAMAGES = ['rot', 'misdirected', 'unreadable', 'dying', 'staleSuperblock', 'lost'] as const;

/** What was ever written, acknowledged or not, by generation number. */
export type Ever = ReadonlyMap<number, readonly ModelGeneration[]>;

/** Damages a copy of the image and opens it. */
export function checkHostile(
  image: Image,
  models: { before: Model; after: Model; ever: Ever },
  options: { diskBytes: number; segmentBytes: number },
  random: Random,
): Losses {
  const damaged: Image = new Map(image);
  const unreadable = new Map<number, number>();
  const damage = random.pick(DAMAGES);
  inflict(damage, damaged, unreadable, options.segmentBytes, random);
  const storage = new SimStorage(options.diskBytes, damaged, { unreadable });
  let journal: Journal;
  try {
    journal = Journal.open(storage, {
      write: true,
      retention: 'manual',
      wallClockMs: 0,
      random: (count) => random.bytes(count),
    });
  } catch (error) {
    if (error instanceof StoreError && damage !== 'staleSuperblock') {
      return { pages: 0, generations: models.before.generations.size };
    }
    throw error;
  }
  try {
    return compare(journal, models, damage === 'staleSuperblock');
  } catch (error) {
    if (error instanceof Violation) throw new Violation(`after ${damage}: ${error.message}`);
    throw error;
  }
}

function compare(
  journal: Journal,
  { before, after, ever }: { before: Model; after: Model; ever: Ever },
  exact: boolean,
): Losses {
  const head = journal.head.number;
  const losses: Losses = { pages: 0, generations: 0 };
  if (exact && head < before.head) {
    throw new Violation(`the head is ${head}, wanted ${before.head} or ${after.head}`);
  }
  // The medium may have lost the newest generations; what is there must be what once was written.
  const listed = journal.generations();
  for (const generation of listed) {
    const candidates = ever.get(generation.number) ?? [];
    checkOneOf(journal, generation.number, candidates, losses);
  }
  const numbers = new Set(listed.map((generation) => generation.number));
  for (const number of before.generations.keys()) {
    if (number <= head && !numbers.has(number) && after.generations.has(number)) {
      losses.generations++;
    }
  }
  if (exact && losses.pages + losses.generations > 0) {
    throw new Violation(`${losses.pages} pages, ${losses.generations} generations are lost`);
  }
  if (losses.pages + losses.generations > 0 && head >= before.head && journal.verify().ok) {
    throw new Violation('verify says all is well though something is unreadable');
  }
  return losses;
}

function checkOneOf(
  journal: Journal,
  number: number,
  candidates: readonly ModelGeneration[],
  losses: Losses,
): void {
  const reasons: string[] = [];
  for (const candidate of candidates) {
    try {
      return checkGeneration(journal, candidate, new Map(), losses);
    } catch (error) {
      if (error instanceof StoreError) {
        losses.generations++;
        return;
      }
      if (!(error instanceof Violation)) throw error;
      reasons.push(error.message);
    }
  }
  throw new Violation(reasons.join('; or: ') || `generation ${number} never was`);
}

function inflict(
  damage: (typeof DAMAGES)[number],
  image: Image,
  unreadable: Map<number, number>,
  segmentBytes: number,
  random: Random,
): void {
  const blocks = [...image.keys()];
  const victim = random.pick(blocks);
  const perSegment = segmentBytes / PAGE_BYTES;
  if (damage === 'rot') {
    for (let count = 1 + random.below(3); count > 0; count--) {
      const block = random.pick(blocks);
      const bytes = (image.get(block) as Uint8Array).slice();
      const at = random.below(PAGE_BYTES);
      bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
      image.set(block, bytes);
    }
  } else if (damage === 'misdirected') {
    image.set(victim, image.get(random.pick(blocks)) as Uint8Array);
  } else if (damage === 'unreadable') {
    unreadable.set(victim, random.chance(50) ? 1 : Number.POSITIVE_INFINITY);
  } else if (damage === 'dying') {
    for (let block = victim; block < victim + 8; block++) {
      unreadable.set(block, Number.POSITIVE_INFINITY);
    }
  } else if (damage === 'staleSuperblock') {
    dropNewestSuperblock(image, perSegment);
  } else image.delete(victim);
}

/** Takes the newest superblock out of both rings, unless it is the only one. */
function dropNewestSuperblock(image: Image, perSegment: number): void {
  let newest = -1;
  let newestNumber = 0;
  let count = 0;
  for (let slot = 0; slot < 8; slot++) {
    const bytes = image.get(slot);
    if (!bytes) continue;
    const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(24, true);
    if (number === 0) continue;
    count++;
    if (number > newestNumber) {
      newestNumber = number;
      newest = slot;
    }
  }
  if (count < 2) return;
  image.delete(newest);
  image.delete(perSegment + newest);
}
