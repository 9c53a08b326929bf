/**
 * Power cuts: what is on the medium when the current goes after `count` events. Everything before
 * the last flush is there; of the rest whatever the tear lets through, in any order, in grains of
 * 512 bytes or 4 KiB.
 */
import { PAGE_BYTES } from '../../vm/store/storage.ts';
import { Block, type DiskEvent, type Medium, put, type Slot } from './disk.ts';
import type { Random } from './random.ts';

/** What became of the writes that no flush had made sure. */
export const TEARS = [
  'nothing', // none of them came through
  'everything',
  'blocks', // every second block, by chance
  'sectors', // every second sector, by chance
  'tornLast', // all, but of the last block only some sectors
  'mostly', // nine blocks of ten
  'lone', // the last block and hardly another
  'late', // those after a random one, not those before: reordered as a whole
  'ringsDie', // by chance; around each superblock being written a page of the flash is gone
] as const;
export type Tear = (typeof TEARS)[number];

/** Tears without chance, for the exhaustive mode. */
export const PLAIN_TEARS = [
  'nothing',
  'everything',
  'firstHalf', // all, but of the last block only the first four sectors
  'secondHalf', // all, but of the last block only the last four sectors
  'last', // only the last block
  'butFirst', // all but the first block
] as const;
export type PlainTear = (typeof PLAIN_TEARS)[number];

const SECTOR_BYTES = 512;
/** Blocks in a page of the flash: half a ring of superblocks. */
const FLASH_PAGE_BLOCKS = 4;
const ONES = new Block(new Uint8Array(PAGE_BYTES).fill(0xff));
const SUPERBLOCK = new TextEncoder().encode('Palimpsest');
const NOTHING = new Uint8Array(PAGE_BYTES);

/** How many of the first `count` events are on the medium for sure. */
export function sureEvents(events: readonly DiskEvent[], count: number): number {
  for (let index = count - 1; index >= 0; index--) {
    if (events[index]?.kind === 'flush') return index;
  }
  return 0;
}

/**
 * The medium after a power cut behind the first `count` of `events`, which began on `medium`. The
 * first `sure` events are there whatever happens: a flush that lies makes it smaller.
 */
export function powerCut(
  medium: Medium,
  events: readonly DiskEvent[],
  count: number,
  tear: Tear | PlainTear,
  random: Random,
  sure = sureEvents(events, count),
): Medium {
  const changes = new Map<number, Slot>();
  for (let index = 0; index < sure; index++) {
    const event = events[index];
    if (event?.kind === 'write') put(changes, event);
  }
  const unsure = events.slice(sure, count).filter((event) => event.kind === 'write');
  const cut = random.below(unsure.length + 1);
  for (const [index, event] of unsure.entries()) {
    const { at, block } = event;
    const last = index === unsure.length - 1;
    const under = changes.get(at) ?? medium.blocks[at] ?? null;
    if (tear === 'sectors' || (tear === 'tornLast' && last)) {
      const sectors = torn(under, block, () => random.chance(50));
      changes.set(at, sectors);
    } else if (last && (tear === 'firstHalf' || tear === 'secondHalf')) {
      const first = tear === 'firstHalf';
      const half = torn(under, block, (sector) => sector < 4 === first);
      changes.set(at, half);
    } else if (tear === 'ringsDie' && isSuperblock(block)) {
      const begin = at - (at % FLASH_PAGE_BLOCKS);
      for (let near = begin; near < begin + FLASH_PAGE_BLOCKS; near++) changes.set(near, ONES);
    } else if (comesThrough(tear, index, last, cut, random)) put(changes, event);
  }
  return medium.with(changes);
}

function comesThrough(
  tear: Tear | PlainTear,
  index: number,
  last: boolean,
  cut: number,
  random: Random,
): boolean {
  switch (tear) {
    case 'nothing':
      return false;
    case 'blocks':
    case 'ringsDie':
      return random.chance(50);
    case 'mostly':
      return random.chance(90);
    case 'lone':
      return last || random.chance(5);
    case 'last':
      return last;
    case 'late':
      return index >= cut;
    case 'butFirst':
      return index > 0;
    default:
      return true;
  }
}

function isSuperblock({ bytes }: Block): boolean {
  return SUPERBLOCK.every((byte, at) => bytes[at] === byte);
}

function torn(before: Slot, after: Block, taken: (sector: number) => boolean): Block {
  const bytes = (before?.bytes ?? NOTHING).slice();
  for (let at = 0; at < PAGE_BYTES; at += SECTOR_BYTES) {
    if (taken(at / SECTOR_BYTES)) bytes.set(after.bytes.subarray(at, at + SECTOR_BYTES), at);
  }
  return new Block(bytes);
}
