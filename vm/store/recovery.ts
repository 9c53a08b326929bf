/**
 * Finds the end of the log: from a superblock along the chain of segment headers to the last point
 * that can be trusted. Reads a bounded amount whatever the size of the journal: two rings, the
 * segment table, at most about 64 segment headers, the unit headers of one segment, and the payload
 * from the durable mark of the last point on (at most 4 MiB and one unit).
 *
 * A point counts when (1) its unit header is valid, (2) its record parses, and (3) either it was
 * flushed, for a later header names it or has a durable mark behind it, or every unit from its own
 * durable mark to itself is valid, header and payload, without a gap. What lies behind the last
 * such point was never acknowledged. A point that was flushed counts although its payload has
 * rotted since: what is left of it can be read, and nothing older is taken for the newest in
 * silence. So does an unproved point when the flushed one before it cannot be read any more.
 *
 * When the newest superblock leads to no point, older ones and all segment headers are tried, and
 * the newest point wins: the medium has lied, and `notices` says what was lost.
 */
import { viewOf } from '../base/bytes.ts';
import {
  addressOf,
  FIRST_SEGMENT,
  NO_SEGMENT,
  pageChecksum,
  readBlockList,
  readSegmentBody,
  readUnitHeader,
  SEGMENT_BYTES_MAX,
  SEGMENT_BYTES_MIN,
  type SegmentBody,
  sequenceOf,
  slotOf,
  UNIT,
  UNIT_BLOCKS_MAX,
  type UnitHeader,
  unitBodyOffset,
} from './format.ts';
import { readPatiently } from './reading.ts';
import { type CommitRecord, readRecord } from './record.ts';
import { Segments, TABLE_ENTRIES } from './segments.ts';
import { PAGE_BYTES, type Storage } from './storage.ts';
import { StoreError } from './store-error.ts';
import { findSuperblocks, type Superblock } from './superblock.ts';

export interface ChainSegment {
  physical: number;
  sequence: number;
  header: UnitHeader & { checksum: number };
  body: SegmentBody;
}

export interface FoundUnit {
  header: UnitHeader & { checksum: number };
  block: Uint8Array;
  offsetBytes: number;
}

export interface Recovered {
  superblock: Superblock;
  segments: Segments;
  /** The last segment of the chain; a new mount continues behind it. */
  last: ChainSegment;
  /** Where the accepted log ends in `last`. */
  end: number;
  /** The last accepted point. */
  point: FoundUnit;
  /** The newest commit record, and the change records after it, oldest first. */
  head: FoundUnit;
  record: CommitRecord;
  changes: FoundUnit[];
  notices: string[];
}

const SCAN_BYTES = 64 * 1024;
const CHANGES_MAX = 4096;

/** Finds the head of the journal. Throws StoreError; writes nothing. */
export function recover(storage: Storage): Recovered {
  const { valid, damaged } = findSuperblocks(storage);
  const newest = valid[0] as Superblock;
  if (storage.sizeBytes < newest.segmentCount * newest.segmentBytes) {
    throw new StoreError(
      'PARTITION_TOO_SMALL',
      `Cannot open journal: the partition has ${storage.sizeBytes} bytes, the journal needs ` +
        `${newest.segmentCount * newest.segmentBytes}; use a partition at least that large`,
    );
  }
  const notices: string[] = [];
  if (damaged > 0) notices.push(`${damaged} superblock copies are damaged`);
  const chain = new ChainReader(storage, newest);
  const usual = chain.follow(notices);
  if (usual && !chain.broken) return usual;
  notices.push(
    usual
      ? 'a segment header in the chain is damaged'
      : `superblock ${newest.number} leads to no generation`,
  );
  let best = newerOf(usual, new ChainReader(storage, newest).searchAll(notices));
  for (const superblock of usual ? [] : valid.slice(1)) {
    best = newerOf(best, new ChainReader(storage, superblock).follow(notices));
  }
  if (best) return best;
  throw new StoreError(
    'JOURNAL_DAMAGED',
    'Cannot open journal: no commit record in it is intact; ' +
      'try verify --salvage to copy what is left to another disk',
  );
}

function newerOf(one: Recovered | null, other: Recovered | null): Recovered | null {
  if (!one || !other) return one ?? other;
  return addressOfPoint(other) > addressOfPoint(one) ? other : one;
}

function addressOfPoint({ point }: Recovered): number {
  return addressOf(point.header.sequence, point.header.slot);
}

/**
 * Finds what can be found without any superblock: the segment size at which most segment headers
 * are valid, then the newest commit record among all segments. For salvage; reads the whole medium.
 */
export function recoverWithoutSuperblock(storage: Storage): Recovered {
  let best: { superblock: Superblock; headers: number } | null = null;
  for (let bytes = SEGMENT_BYTES_MIN; bytes <= SEGMENT_BYTES_MAX; bytes *= 2) {
    const guess = guessSuperblock(storage, bytes);
    if (guess && guess.headers > (best?.headers ?? 0)) best = guess;
  }
  const notices = ['no superblock is intact'];
  const found = best && new ChainReader(storage, best.superblock).searchAll(notices);
  if (found) return found;
  throw new StoreError(
    'JOURNAL_DAMAGED',
    'Cannot salvage: found no segment with a commit record, so nothing is left to copy',
  );
}

/** What a superblock for this segment size would say, judging by the segment headers there are. */
function guessSuperblock(
  storage: Storage,
  segmentBytes: number,
): { superblock: Superblock; headers: number } | null {
  const segmentCount = Math.floor(storage.sizeBytes / segmentBytes);
  const block = storage.allocate(PAGE_BYTES);
  let headers = 0;
  let newest: { sequence: number; nonce: Uint8Array } | null = null;
  for (let physical = FIRST_SEGMENT; physical < segmentCount; physical++) {
    if (!readPatiently(storage, physical * segmentBytes, block)) continue;
    const header = readUnitHeader(block, segmentBytes / PAGE_BYTES);
    if (header?.kind !== UNIT.segment || header.slot !== 0) continue;
    const body = readSegmentBody(block);
    if (body.physical !== physical) continue;
    headers++;
    if (header.sequence > (newest?.sequence ?? 0)) {
      newest = { sequence: header.sequence, nonce: body.nonce };
    }
  }
  if (!newest) return null;
  const superblock: Superblock = {
    number: 0,
    id: new Uint8Array(16),
    nonce: newest.nonce,
    formattedMs: 0,
    writtenMs: 0,
    sizeBytes: storage.sizeBytes,
    segmentBytes,
    segmentCount,
    mount: 0,
    salt: 0,
    startSequence: 0,
    startPhysical: 0,
    startChecksum: 0,
    tablePhysical: 0,
    tableSlot: 0,
    tableChecksum: 0,
    tableBlocks: 0,
  };
  return { superblock, headers };
}

/** Reads the log of one superblock. */
class ChainReader {
  readonly #storage: Storage;
  readonly #superblock: Superblock;
  readonly #nonce: number;
  #segments: Segments;
  #chain: ChainSegment[] = [];
  /** The chain ends at a segment that was flushed once, but whose header is gone. */
  broken = false;

  constructor(storage: Storage, superblock: Superblock) {
    this.#storage = storage;
    this.#superblock = superblock;
    this.#nonce = viewOf(superblock.nonce).getUint32(0, true);
    this.#segments = new Segments(superblock.segmentBytes, superblock.segmentCount);
  }

  /** The usual way: segment table, chain, last point. */
  follow(notices: string[]): Recovered | null {
    if (!this.#readTable()) return null;
    const start = this.#segmentAt(this.#superblock.startPhysical);
    if (!start || start.header.checksum !== this.#superblock.startChecksum) return null;
    this.#chain = [start];
    this.#segments.use(start.physical, start.sequence);
    for (let next = this.#successor(start); next; next = this.#successor(next)) {
      this.#chain.push(next);
      this.#segments.use(next.physical, next.sequence);
    }
    this.broken = !this.#blank && this.#continuesBehind(this.#chain.at(-1) as ChainSegment);
    return this.#findTail(notices);
  }

  /** The last resort: every segment header there is, in order of sequence. */
  searchAll(notices: string[]): Recovered | null {
    notices.push('searched all segment headers');
    const { segmentBytes, segmentCount } = this.#superblock;
    this.#segments = new Segments(segmentBytes, segmentCount);
    const all: ChainSegment[] = [];
    for (let physical = FIRST_SEGMENT; physical < segmentCount; physical++) {
      const segment = this.#segmentAt(physical) ?? this.#headlessAt(physical);
      if (segment) all.push(segment);
    }
    all.sort((a, b) => a.sequence - b.sequence);
    this.#chain = all;
    for (const segment of all) this.#segments.use(segment.physical, segment.sequence);
    // Every segment is a place to look: a damaged one must not hide the ones before it.
    for (let count = all.length; count > 0; count--) {
      this.#chain = all.slice(0, count);
      const found = this.#findTail(notices);
      if (found) return { ...found, last: all.at(-1) as ChainSegment, end: 1 };
    }
    return null;
  }

  #readTable(): boolean {
    const { tablePhysical, tableSlot, tableChecksum, tableBlocks } = this.#superblock;
    if (tableBlocks !== this.#segments.tableBlocks) return false;
    let slot = tableSlot;
    for (let index = 0; index < tableBlocks; ) {
      const unit = this.#unitAt(tablePhysical, slot);
      if (!unit || unit.header.kind !== UNIT.table || unit.header.blocks === 0) return false;
      if (index === 0 && unit.header.checksum !== tableChecksum) return false;
      const payload = this.#provedPayload(unit);
      if (!payload) return false;
      for (let block = 0; block < unit.header.blocks; block++, index++) {
        const bytes = payload.subarray(block * PAGE_BYTES, (block + 1) * PAGE_BYTES);
        if (index * TABLE_ENTRIES >= this.#segments.count) return false;
        this.#segments.readTableBlock(index, bytes);
      }
      slot += 1 + unit.header.blocks;
    }
    // What was long enough retired is free, as it was for the writer after this superblock.
    this.#segments.release(this.#superblock.number);
    return true;
  }

  #successor(of: ChainSegment): ChainSegment | null {
    const { nextPhysical } = of.body;
    if (nextPhysical === NO_SEGMENT || this.#chain.length > this.#segments.count) return null;
    const next = this.#segmentAt(nextPhysical);
    if (!next || next.sequence <= of.sequence) return null;
    const linked =
      next.header.mount >= of.header.mount &&
      (!this.#blank || next.header.mount === of.header.mount) &&
      next.body.previousSequence === of.sequence &&
      next.body.previousPhysical === of.physical &&
      next.body.previousChecksum === of.header.checksum;
    return linked ? next : null;
  }

  /**
   * A journal without an id was made by a builder and never owned: whoever opens it for writing
   * first writes a superblock before anything else. So nothing of another mount can follow; what
   * looks so is left over from an earlier life of the same image on this card.
   */
  get #blank(): boolean {
    return this.#superblock.id.every((byte) => byte === 0);
  }

  #segmentAt(physical: number): ChainSegment | null {
    if (physical < FIRST_SEGMENT || physical >= this.#segments.count) return null;
    const unit = this.#unitAt(physical, 0);
    if (!unit || unit.header.kind !== UNIT.segment || unit.header.blocks !== 0) return null;
    const body = readSegmentBody(unit.block);
    const ours = this.#superblock.nonce.every((byte, index) => byte === body.nonce[index]);
    if (!ours || body.physical !== physical || unit.header.sequence === 0) return null;
    return { physical, sequence: unit.header.sequence, header: unit.header, body };
  }

  /**
   * Whether the segment after the last of the chain holds a unit written after its header had been
   * flushed. A torn header has none: then the power went before that flush.
   */
  #continuesBehind(last: ChainSegment): boolean {
    const next = this.#headlessAt(last.body.nextPhysical);
    return next !== null && next.sequence > last.sequence;
  }

  /**
   * A segment whose header is unreadable, made out from its units; null when it was never flushed.
   */
  #headlessAt(physical: number): ChainSegment | null {
    if (physical < FIRST_SEGMENT || physical >= this.#segments.count) return null;
    const base = physical * this.#segments.segmentBytes;
    const window = this.#storage.allocate(SCAN_BYTES);
    // What cannot be read is zeros: as good as a damaged header.
    readPatiently(this.#storage, base, window);
    // With a header of its own it is no part of this chain, but left over from an older one.
    const own = readUnitHeader(window.subarray(0, PAGE_BYTES), this.#segments.slots);
    if (own?.kind === UNIT.segment && own.slot === 0) return null;
    const headers: (UnitHeader & { checksum: number })[] = [];
    for (let slot = 1; slot < SCAN_BYTES / PAGE_BYTES; slot++) {
      const block = window.subarray(slot * PAGE_BYTES, (slot + 1) * PAGE_BYTES);
      const header = readUnitHeader(block, this.#segments.slots);
      if (header && header.nonce === this.#nonce && header.slot === slot) headers.push(header);
    }
    const first = headers[0];
    const flushed = headers.some(
      (header) =>
        header.sequence === first?.sequence && sequenceOf(header.durable) === first.sequence,
    );
    if (!first || !flushed || first.mount < this.#superblock.mount) return null;
    const checksum = first.slot === 1 ? first.previousUnitChecksum : 0;
    return {
      physical,
      sequence: first.sequence,
      header: { ...first, kind: UNIT.segment, blocks: 0, slot: 0, checksum },
      body: {
        nonce: this.#superblock.nonce,
        physical,
        nextPhysical: NO_SEGMENT,
        previousSequence: 0,
        previousPhysical: 0,
        previousChecksum: 0,
        previousEnd: this.#segments.slots,
        wallMs: 0,
      },
    };
  }

  #unitAt(physical: number, slot: number): FoundUnit | null {
    const offsetBytes = physical * this.#segments.segmentBytes + slot * PAGE_BYTES;
    const block = this.#storage.allocate(PAGE_BYTES);
    if (!readPatiently(this.#storage, offsetBytes, block)) return null;
    const header = readUnitHeader(block, this.#segments.slots);
    const ours = header?.nonce === this.#nonce;
    return header && ours && header.slot === slot ? { header, block, offsetBytes } : null;
  }

  #findTail(notices: string[]): Recovered | null {
    let rejected = 0;
    /** Everything before this address was flushed; for segments of the same mount only. */
    let flushed = { mount: -1, before: 0 };
    for (let index = this.#chain.length - 1; index >= 0; ) {
      const segment = this.#chain[index] as ChainSegment;
      const limit = this.#chain[index + 1]?.body.previousEnd ?? this.#segments.slots;
      const units = this.#scan(segment, 1, limit, true);
      const { mount } = segment.header;
      const marks = [segment, ...units].map(({ header }) => header.durable);
      if (flushed.mount === mount) marks.push(flushed.before);
      flushed = { mount, before: Math.max(...marks) };
      for (let at = units.length - 1; at >= 0; at--) {
        const unit = units[at] as FoundUnit;
        if (unit.header.kind !== UNIT.commit && unit.header.kind !== UNIT.change) continue;
        const proved = this.#proved(unit);
        const counts = proved || endOf(unit) <= flushed.before || this.#predecessorLost(unit);
        const found = counts ? this.#headFrom(unit, index, notices) : null;
        if (found) {
          if (!proved) notices.push('the newest generation is damaged');
          if (hasGap(units.slice(0, at + 1))) notices.push('part of the log is damaged');
          if (rejected > 0) notices.push(tornNotice(rejected));
          return found;
        }
        rejected++;
      }
      // Nothing here: its header names the last point written before it.
      const { previousPoint: address, previousPointChecksum: checksum, durable } = segment.header;
      if (address === 0) return null;
      const before = this.#chain.findIndex((other) => other.sequence === sequenceOf(address));
      const point = this.#pointAt(address, checksum);
      // A mount begins with a flush of what it accepted.
      const first = before < 0 || (this.#chain[before] as ChainSegment).header.mount !== mount;
      if (point && (first || endOf(point) <= durable)) {
        const found = this.#headFrom(point, -1, notices);
        if (found) {
          if (!this.#provedPayload(point)) notices.push('the newest generation is damaged');
          if (rejected > 0) notices.push(tornNotice(rejected));
          return found;
        }
      }
      if (before < 0 || before >= index) return null;
      index = before;
      if (rejected > 0) notices.push(tornNotice(rejected));
      rejected = 0;
    }
    return null;
  }

  /** Whether the point before this one had been flushed, and cannot be read now. */
  #predecessorLost({ header }: FoundUnit): boolean {
    const { previousPoint: address, previousPointChecksum: checksum, durable } = header;
    if (address === 0 || address >= durable) return false;
    const point = this.#pointAt(address, checksum);
    return !point || !this.#headFrom(point, -1, []);
  }

  /** The record a point belongs to; null when it, or the changes after it, cannot be read. */
  #headFrom(point: FoundUnit, index: number, notices: string[]): Recovered | null {
    const changes: FoundUnit[] = [];
    let unit: FoundUnit | null = point;
    while (unit && unit.header.kind === UNIT.change && changes.length < CHANGES_MAX) {
      changes.push(unit);
      unit = this.#pointAt(unit.header.previousPoint, unit.header.previousPointChecksum);
    }
    if (!unit || unit.header.kind !== UNIT.commit) return null;
    const { blocks, sequence } = unit.header;
    const record = readRecord(unit.block, unitBodyOffset(blocks), sequence);
    if (!record || !parses(record)) return null;
    const last = this.#chain.at(-1) as ChainSegment;
    const inLast = index === this.#chain.length - 1;
    return {
      superblock: this.#superblock,
      segments: this.#segments,
      last,
      end: inLast ? point.header.slot + 1 + point.header.blocks : 1,
      point,
      head: unit,
      record,
      changes: changes.reverse(),
      notices,
    };
  }

  #pointAt(address: number, checksum: number): FoundUnit | null {
    const physical = this.#segments.physicalOf(sequenceOf(address));
    if (physical === undefined) return null;
    const unit = this.#unitAt(physical, slotOf(address));
    const right =
      unit &&
      unit.header.checksum === checksum &&
      addressOf(unit.header.sequence, unit.header.slot) === address &&
      (unit.header.kind === UNIT.commit || unit.header.kind === UNIT.change);
    return right ? unit : null;
  }

  /** Whether everything from the durable mark of a point to itself is there. */
  #proved(point: FoundUnit): boolean {
    const { durable, sequence } = point.header;
    const target = this.#chain.findIndex((segment) => segment.sequence === sequence);
    const begin = this.#chain.findIndex((segment) => segment.sequence === sequenceOf(durable));
    if (target < 0 || begin > target) return false;
    // A durable mark before the chain: the superblock was written after a flush of its own.
    const first = Math.max(begin, 0);
    for (let index = first; index <= target; index++) {
      const segment = this.#chain[index] as ChainSegment;
      const from = index === begin ? Math.max(1, slotOf(durable)) : 1;
      const end =
        index === target
          ? point.header.slot + 1 + point.header.blocks
          : (this.#chain[index + 1]?.body.previousEnd ?? 0);
      const units = this.#scan(segment, from, end);
      const last = units.at(-1);
      const reached = last ? last.header.slot + 1 + last.header.blocks : from;
      if (reached !== end) return false;
      if (!units.every((unit) => this.#provedPayload(unit))) return false;
    }
    return true;
  }

  /**
   * The valid units of a segment from a slot on, as far as they follow each other. With `beyond` a
   * damaged unit does not end the search: what was acknowledged after it must not be lost with it.
   */
  #scan(segment: ChainSegment, from: number, limit: number, beyond = false): FoundUnit[] {
    const units: FoundUnit[] = [];
    const base = segment.physical * this.#segments.segmentBytes;
    const window = this.#storage.allocate(SCAN_BYTES);
    let windowSlot = -1;
    let before = from === 1 && segment.header.checksum !== 0 ? segment.header.checksum : -1;
    let skipped = 0;
    for (let slot = from; slot < limit; ) {
      if (windowSlot < 0 || slot >= windowSlot + SCAN_BYTES / PAGE_BYTES) {
        windowSlot = Math.min(slot, this.#segments.slots - SCAN_BYTES / PAGE_BYTES);
        readPatiently(this.#storage, base + windowSlot * PAGE_BYTES, window);
      }
      const at = (slot - windowSlot) * PAGE_BYTES;
      const view = window.subarray(at, at + PAGE_BYTES);
      const header = readUnitHeader(view, this.#segments.slots);
      const valid =
        header !== null &&
        header.kind !== UNIT.segment &&
        header.slot === slot &&
        header.sequence === segment.sequence &&
        header.mount === segment.header.mount &&
        header.salt === segment.header.salt &&
        header.nonce === this.#nonce &&
        (before === -1 || header.previousUnitChecksum === before) &&
        slot + 1 + header.blocks <= limit;
      if (valid) {
        const block = view.slice();
        units.push({ header, block, offsetBytes: base + slot * PAGE_BYTES });
        before = header.checksum;
        slot += 1 + header.blocks;
        skipped = 0;
      } else if (beyond && skipped++ <= UNIT_BLOCKS_MAX) {
        slot++;
        before = -1;
      } else break;
    }
    return units;
  }

  /** The payload of a unit, or null when a block of it does not match the list in the header. */
  #provedPayload(unit: FoundUnit): Uint8Array | null {
    return provedPayload(this.#storage, unit);
  }
}

/** Reads and proves the payload of a unit against its block list; null when it does not match. */
export function provedPayload(storage: Storage, unit: FoundUnit): Uint8Array | null {
  const payload = storage.allocate(unit.header.blocks * PAGE_BYTES);
  const begin = unit.offsetBytes + PAGE_BYTES;
  if (payload.length > 0 && !readPatiently(storage, begin, payload)) return null;
  const list = readBlockList(unit.block, unit.header.blocks);
  for (const [index, entry] of list.entries()) {
    const bytes = payload.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES);
    const found = pageChecksum(entry.number, begin + index * PAGE_BYTES, bytes);
    if (found !== entry.checksum) return null;
  }
  return payload;
}

function parses(record: CommitRecord): boolean {
  try {
    return record.state.delta.size >= 0;
  } catch {
    return false;
  }
}

/** The address behind a unit. */
function endOf({ header }: FoundUnit): number {
  return addressOf(header.sequence, header.slot + 1 + header.blocks);
}

/** What was being written when the power went looks the same as what rotted there. */
function tornNotice(count: number): string {
  return `${count} torn or damaged commits behind the last whole one`;
}

/** Whether the units do not follow each other without a break from slot 1 on. */
function hasGap(units: readonly FoundUnit[]): boolean {
  let slot = 1;
  for (const { header } of units) {
    if (header.slot !== slot) return true;
    slot += 1 + header.blocks;
  }
  return false;
}
