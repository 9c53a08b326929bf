/**
 * Media that break their word: bits rot, a write lands on the wrong block, reads fail for a while,
 * blocks next to each other die, the newest superblocks are stale. Required: a clear StoreError, or
 * an older head and unreadable pages; never a wrong page, never another kind of error.
 */
import { Journal } from '../../vm/store/journal.ts';
import { PAGE_BYTES } from '../../vm/store/storage.ts';
import { StoreError } from '../../vm/store/store-error.ts';
import { checkJournal, type Losses, type Model, type ModelGeneration, Violation } from './model.ts';
import type { Random } from './random.ts';
import { type Image, SimStorage } from './sim-storage.ts';

const DAMAGES = ['rot', 'misdirected', 'unreadable', 'dying', 'staleSuperblock', 'lost'] as const;

/** Damages a copy of the image and opens it. */
export function checkHostile(
  image: Image,
  models: { before: Model; after: Model },
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
  { before, after }: { before: Model; after: Model },
  exact: boolean,
): Losses {
  const head = journal.head.number;
  const newest = after.generations.has(head) ? after : before;
  if (!newest.generations.has(head)) throw new Violation(`generation ${head} never was`);
  if (exact && head < before.head) {
    throw new Violation(`the head is ${head}, wanted ${before.head} or ${after.head}`);
  }
  // A medium that lost the newest generations must still be right about the older ones.
  const generations = new Map<number, ModelGeneration>();
  for (const [number, generation] of newest.generations) {
    if (number <= head) generations.set(number, generation);
  }
  const losses = checkJournal(journal, { ...newest, head, generations }, true);
  if (losses.pages + losses.generations > 0 && journal.verify().ok) {
    throw new Violation('verify says all is well though pages are unreadable');
  }
  return losses;
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
