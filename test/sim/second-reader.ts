/**
 * A second reader of the journal, written from docs/FORMAT.md alone: it shares no code with
 * vm/store, so a mistake made there on both the writing and the reading side shows here. It wants a
 * medium on which nothing is unflushed, takes no short cuts, and walks everything.
 *
 * What it proves of a journal: (1) the newest superblock, and the one before it, lead to the same
 * head; (2) every kept generation has exactly its pages, every block matches the checksum beside
 * its pointer; (3) the change log is complete; (4) no block that anything kept can reach lies in a
 * segment that is retired or free.
 */
import { crc32 } from 'node:zlib';
import type { Medium } from './disk.ts';
import { type Model, stampOf, Violation } from './model.ts';

const BLOCK = 4096;
const RING = 8;
const FANOUT = 256;
const TREES = { changes: 3, generations: 4, marks: 5, relocations: 6 } as const;
const NONE = 0xffff_ffff;

interface Address {
  sequence: number;
  slot: number;
}

interface Pointer extends Address {
  sum: number;
}

interface Unit {
  physical: number;
  slot: number;
  block: Uint8Array;
  view: DataView;
  kind: number;
  blocks: number;
  sequence: number;
  durable: Address;
  previousPoint: Address;
  sum: number;
}

interface Root extends Pointer {
  level: number;
}

interface Record {
  generation: number;
  changesEnd: number;
  roots: Map<number, Root>;
  /** Tree to key to pointer; null = removed. */
  delta: Map<number, Map<number, Pointer | null>>;
}

export class SecondReader {
  readonly #blocks: Medium['blocks'];
  readonly #slots: number;
  readonly #count: number;
  /** Sequence number to physical segment. */
  readonly #physical = new Map<number, number>();
  readonly #retired = new Set<number>();
  readonly #chain: Unit[] = [];
  readonly #head: Record;
  readonly #headPointer: Pointer;
  readonly #pending: Unit[] = [];
  /** Blocks that something kept can reach. */
  readonly #live = new Set<number>();

  /** Opens a journal from its newest superblock, or with `skip` from an older one. */
  constructor(medium: Medium, skip = 0) {
    this.#blocks = medium.blocks;
    const superblock = this.#superblocks()[skip];
    if (!superblock) throw new Violation('second reader: no superblock');
    const view = viewOf(superblock);
    this.#slots = view.getUint32(80, true) / BLOCK;
    this.#count = view.getUint32(84, true);
    this.#readTable(view);
    this.#followChain(view);
    const point = this.#lastPoint();
    let unit = point;
    while (unit.kind === 5) {
      this.#pending.unshift(unit);
      unit = this.#unitAt(unit.previousPoint, 'a point');
    }
    this.#head = this.#record(unit);
    const at = unit.physical * this.#slots + unit.slot;
    const number = space(240) + this.#head.generation;
    const sum = blockSum(number, at, unit.block);
    this.#headPointer = { sequence: unit.sequence, slot: unit.slot, sum };
  }

  /** How many superblocks there are. */
  static superblocksOn(medium: Medium): number {
    return superblocksOf(medium.blocks).length;
  }

  /** Compares everything; throws a Violation at the first difference. */
  check(model: Model): void {
    if (this.#head.generation !== model.head) {
      fail(`the head is ${this.#head.generation}, wanted ${model.head}`);
    }
    const pointers = this.#entries(this.#head, TREES.generations);
    pointers.set(this.#head.generation, this.#headPointer);
    const numbers = [...pointers.keys()].sort((a, b) => a - b).join();
    const wanted = [...model.generations.keys()].sort((a, b) => a - b).join();
    if (numbers !== wanted) fail(`generations ${numbers}, wanted ${wanted}`);
    for (const [number, pointer] of pointers) {
      const pages = model.generations.get(number)?.pages ?? new Map<number, number>();
      this.#checkPages(number, pointer, pages);
    }
    this.#checkChanges(model);
    for (const [key, pointer] of this.#entries(this.#head, TREES.marks)) {
      this.#read(space(TREES.marks) + key, pointer);
    }
    this.#entries(this.#head, TREES.relocations);
    for (const at of this.#live) {
      const physical = Math.floor(at / this.#slots);
      if (this.#retired.has(physical)) fail(`segment ${physical} is retired, block ${at} is live`);
    }
  }

  #checkPages(number: number, pointer: Pointer, wanted: ReadonlyMap<number, number>): void {
    const block = this.#read(space(240) + number, pointer);
    const record = this.#record(parseUnit(block, 0, pointer.slot));
    if (record.generation !== number) fail(`the record of ${number} is of ${record.generation}`);
    let count = 0;
    for (const tree of [0, 1]) {
      for (const [key, place] of this.#entries(record, tree)) {
        count++;
        const page = space(tree) + key;
        const found = this.#stamp(page, place);
        if (found !== wanted.get(page)) fail(`page ${page} of ${number} holds stamp ${found}`);
      }
    }
    if (count !== wanted.size) fail(`${number} has ${count} pages, wanted ${wanted.size}`);
  }

  /** The stamp of a proved page; both are worked out once for a block at one place. */
  #stamp(page: number, pointer: Pointer): number | null {
    const at = this.#place(pointer, true);
    const block = this.#blocks[at.block];
    const known = block && proofs.get(block);
    if (known?.page === page && known.at === at.block && known.sum === at.sum) return known.stamp;
    const stamp = stampOf(page, this.#read(page, pointer));
    if (block) proofs.set(block, { page, at: at.block, sum: at.sum, stamp });
    return stamp;
  }

  #checkChanges(model: Model): void {
    const end = Math.max(16, this.#head.changesEnd);
    const stream = new Uint8Array(end);
    for (const [key, pointer] of this.#entries(this.#head, TREES.changes)) {
      const page = this.#read(space(TREES.changes) + key, pointer);
      if (viewOf(page).getUint32(8, true) !== key) fail(`change page ${key} names another`);
      if (key * 4080 < end) stream.set(page.subarray(16, 16 + end - key * 4080), key * 4080);
    }
    const found: string[] = [];
    const view = viewOf(stream);
    for (let at = 16; at < end; ) {
      const length = view.getUint32(at, true);
      if (length < 8 || view.getUint32(at + length - 4, true) !== length) fail('a torn frame');
      found.push(new TextDecoder().decode(stream.subarray(at + 4, at + length - 4)));
      at += length;
    }
    for (const unit of this.#pending) {
      for (let slot = unit.slot; slot <= unit.slot + unit.blocks; slot++) {
        this.#live.add(unit.physical * this.#slots + slot);
      }
      const body = unit.block.subarray(64 + 10 * unit.blocks);
      const length = viewOf(body).getUint32(8, true);
      const bytes = unit.blocks > 0 ? this.#payload(unit) : body.subarray(16);
      if (!bytes) fail('a change record without its payload');
      else found.push(new TextDecoder().decode(bytes.subarray(0, length)));
    }
    if (found.join('\n') !== model.changes.join('\n')) fail('the change log differs');
  }

  // ---- superblock, table, chain, points ----

  #superblocks(): Uint8Array[] {
    return superblocksOf(this.#blocks);
  }

  #readTable(superblock: DataView): void {
    const physical = superblock.getUint32(108, true);
    let slot = superblock.getUint32(112, true);
    const blocks = superblock.getUint32(120, true);
    for (let index = 0; index < blocks; ) {
      const unit = this.#unit(physical, slot);
      const payload = unit && this.#payload(unit);
      if (unit?.kind !== 2 || !payload) return fail('no segment table');
      const view = viewOf(payload);
      for (let entry = 0; entry < payload.length / 8; entry++) {
        const segment = index * 512 + entry;
        const sequence = view.getUint32(entry * 8, true);
        if (segment < 2 || segment >= this.#count || sequence === 0) continue;
        const retired = view.getUint32(entry * 8 + 4, true);
        // Retired two superblocks ago or earlier: free.
        if (retired !== 0 && superblock.getUint32(24, true) >= retired + 2) continue;
        this.#physical.set(sequence, segment);
        if (retired !== 0) this.#retired.add(segment);
      }
      index += unit.blocks;
      slot += 1 + unit.blocks;
    }
  }

  #followChain(superblock: DataView): void {
    let unit = this.#unit(superblock.getUint32(100, true), 0);
    if (unit?.sum !== superblock.getUint32(104, true)) fail('no start segment');
    while (unit && unit.kind === 1) {
      this.#chain.push(unit);
      for (const [sequence, physical] of this.#physical) {
        if (physical === unit.physical) this.#physical.delete(sequence);
      }
      this.#retired.delete(unit.physical);
      this.#physical.set(unit.sequence, unit.physical);
      const next: number = unit.view.getUint32(76, true);
      const after: Unit | null = next === NONE ? null : this.#unit(next, 0);
      const linked: boolean =
        after?.kind === 1 &&
        after.sequence > unit.sequence &&
        after.view.getUint32(24, true) >= unit.view.getUint32(24, true) &&
        after.view.getUint32(80, true) === unit.sequence &&
        after.view.getUint32(84, true) === unit.physical &&
        after.view.getUint32(88, true) === unit.sum;
      unit = linked ? after : null;
    }
  }

  #lastPoint(): Unit {
    for (let index = this.#chain.length - 1; index >= 0; index--) {
      const units = this.#unitsOf(index);
      for (const unit of units.reverse()) {
        if ((unit.kind === 4 || unit.kind === 5) && this.#counts(unit, index)) return unit;
      }
    }
    const first = this.#chain[0] as Unit;
    return this.#unitAt(first.previousPoint, 'the point before the chain');
  }

  /** The valid units of a segment of the chain that follow each other from slot 1 on. */
  #unitsOf(index: number, from = 1): Unit[] {
    const header = this.#chain[index] as Unit;
    const end = this.#chain[index + 1]?.view.getUint32(92, true) ?? this.#slots;
    const units: Unit[] = [];
    let before = from === 1 ? header.sum : -1;
    for (let slot = from; slot < end; ) {
      const unit = this.#unit(header.physical, slot);
      const ours =
        unit?.sequence === header.sequence &&
        unit.view.getUint32(24, true) === header.view.getUint32(24, true) &&
        unit.view.getUint32(28, true) === header.view.getUint32(28, true) &&
        (before === -1 || unit.view.getUint32(52, true) === before);
      if (!unit || !ours || slot + 1 + unit.blocks > end) break;
      units.push(unit);
      before = unit.sum;
      slot += 1 + unit.blocks;
    }
    return units;
  }

  /** Whether everything from the durable mark of a point to itself is valid, without a gap. */
  #counts(point: Unit, index: number): boolean {
    const { durable } = point;
    const begin = this.#chain.findIndex(({ sequence }) => sequence === durable.sequence);
    for (let at = Math.max(0, begin); at <= index; at++) {
      const from = at === begin ? Math.max(1, durable.slot) : 1;
      const end =
        at === index
          ? point.slot + 1 + point.blocks
          : (this.#chain[at + 1]?.view.getUint32(92, true) ?? 0);
      const units = this.#unitsOf(at, from).filter(({ slot }) => slot < end);
      const last = units.at(-1);
      if ((last ? last.slot + 1 + last.blocks : from) !== end) return false;
      if (!units.every((unit) => this.#payload(unit) !== null)) return false;
    }
    return true;
  }

  #unit(physical: number, slot: number): Unit | null {
    if (physical < 2 || physical >= this.#count) return null;
    const block = this.#blocks[physical * this.#slots + slot]?.bytes;
    if (!block) return null;
    const view = viewOf(block);
    if (text(block, 0, 4) !== 'PUNT' || headerSum(block, 4) !== view.getUint32(4, true)) {
      return null;
    }
    return view.getUint32(20, true) === slot ? parseUnit(block, physical, slot) : null;
  }

  #unitAt({ sequence, slot }: Address, what: string): Unit {
    const unit = this.#unit(this.#physical.get(sequence) ?? -1, slot);
    if (unit?.sequence !== sequence) return fail(`${what} is not at ${sequence}:${slot}`);
    return unit;
  }

  #payload(unit: Unit): Uint8Array | null {
    const payload = new Uint8Array(unit.blocks * BLOCK);
    for (let index = 0; index < unit.blocks; index++) {
      const at = unit.physical * this.#slots + unit.slot + 1 + index;
      const block = this.#blocks[at]?.bytes ?? new Uint8Array(BLOCK);
      const entry = 64 + 10 * index;
      const number =
        unit.view.getUint32(entry, true) + unit.view.getUint16(entry + 4, true) * 2 ** 32;
      if (blockSum(number, at, block) !== unit.view.getUint32(entry + 6, true)) return null;
      payload.set(block, index * BLOCK);
    }
    return payload;
  }

  // ---- records, trees, blocks ----

  #record({ view, block, blocks, sequence }: Unit): Record {
    const at = 64 + 10 * blocks;
    const rootsAt = at + 104 + ((view.getUint16(at + 34, true) & 2) === 0 ? 0 : 24);
    const rootCount = view.getUint8(at + 56);
    const roots = new Map<number, Root>();
    for (let index = 0; index < rootCount; index++) {
      const root = rootsAt + 24 * index;
      roots.set(view.getUint8(root), {
        level: view.getUint8(root + 1),
        sum: view.getUint32(root + 4, true),
        sequence: view.getUint32(root + 8, true),
        slot: view.getUint32(root + 12, true),
      });
    }
    const deltaAt =
      rootsAt + 24 * rootCount + view.getUint8(at + 57) + view.getUint16(at + 58, true);
    const groups = view.getUint16(at + 62, true);
    return {
      generation: u64(view, at),
      changesEnd: u64(view, at + 48),
      roots,
      delta: readDelta(block, deltaAt, groups, sequence),
    };
  }

  /** Everything a tree of a record holds, its delta applied; all nodes are proved on the way. */
  #entries(record: Record, tree: number): Map<number, Pointer> {
    const entries = new Map<number, Pointer>();
    const walk = (pointer: Pointer, level: number, index: number): void => {
      const node = this.#read(space(128 + 16 * level + tree) + index, pointer);
      const view = viewOf(node);
      const right =
        text(node, 0, 4) === 'PTRE' &&
        node[4] === tree &&
        node[5] === level &&
        u64(view, 8) === index;
      if (!right) fail(`a node of tree ${tree} names another`);
      for (let slot = 0; slot < FANOUT; slot++) {
        const at = 32 + 12 * slot;
        const sequence = view.getUint32(at, true);
        if (sequence === 0) continue;
        const next = {
          sequence,
          slot: view.getUint16(at + 4, true),
          sum: view.getUint32(at + 8, true),
        };
        if (level > 1) walk(next, level - 1, index * FANOUT + slot);
        else entries.set(index * FANOUT + slot, next);
      }
    };
    const root = record.roots.get(tree);
    if (root && root.level > 0) walk(root, root.level, 0);
    for (const [key, pointer] of record.delta.get(tree) ?? []) {
      if (pointer) entries.set(key, pointer);
      else entries.delete(key);
    }
    return entries;
  }

  #relocations: Map<number, Pointer> | null = null;

  /** Where a block lies today and the checksum it must have there. */
  #place(pointer: Pointer, notes: boolean): { block: number; sum: number } {
    let { sequence, slot, sum } = pointer;
    let physical = this.#physical.get(sequence);
    if (physical === undefined || this.#retired.has(physical)) {
      const moved = this.#relocated(sequence * this.#slots + slot);
      if (moved) {
        ({ sequence, slot, sum } = moved);
        physical = this.#physical.get(sequence);
      }
    }
    if (physical === undefined) return fail(`block ${sequence}:${slot} is nowhere`);
    const block = physical * this.#slots + slot;
    if (notes) this.#live.add(block);
    return { block, sum };
  }

  /** The nodes of the relocation tree are where they were written: they are read without it. */
  #relocated(key: number): Pointer | undefined {
    if (!this.#relocations) {
      this.#relocations = new Map();
      this.#relocations = this.#entries(this.#head, TREES.relocations);
    }
    return this.#relocations.get(key);
  }

  #read(number: number, pointer: Pointer): Uint8Array {
    const { block: at, sum } = this.#place(pointer, true);
    const bytes = this.#blocks[at]?.bytes ?? new Uint8Array(BLOCK);
    if (blockSum(number, at, bytes) !== sum) {
      fail(`block ${number / 2 ** 40} at ${pointer.sequence}:${pointer.slot} does not match`);
    }
    return bytes;
  }
}

const proofs = new WeakMap<
  object,
  { page: number; at: number; sum: number; stamp: number | null }
>();

/** The valid superblocks of both rings, newest first. */
function superblocksOf(blocks: Medium['blocks']): Uint8Array[] {
  const found = new Map<number, Uint8Array>();
  const ring = (begin: number, segmentBytes: number | null): void => {
    for (let slot = 0; slot < RING; slot++) {
      const block = blocks[begin + slot]?.bytes;
      if (!block || text(block, 0, 10) !== 'Palimpsest') continue;
      const view = viewOf(block);
      const right = headerSum(block, 20) === view.getUint32(20, true);
      const number = u64(view, 24);
      if (!right || number % RING !== slot) continue;
      if (segmentBytes !== null && view.getUint32(80, true) !== segmentBytes) continue;
      found.set(number, block);
    }
  };
  ring(0, null);
  const first = [...found.values()][0];
  const bytes = first ? viewOf(first).getUint32(80, true) : 0;
  if (bytes > 0) ring(bytes / BLOCK, bytes);
  return [...found].sort(([a], [b]) => b - a).map(([, block]) => block);
}

function readDelta(
  block: Uint8Array,
  begin: number,
  groups: number,
  sequence: number,
): Record['delta'] {
  const delta: Record['delta'] = new Map();
  const view = viewOf(block);
  let at = begin;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = block[at++] as number;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  for (let group = 0; group < groups; group++) {
    const entries = new Map<number, Pointer | null>();
    delta.set(block[at++] as number, entries);
    let key = 0;
    for (let left = varint(); left > 0; left--) {
      key += varint();
      const back = varint();
      if (back === 0) entries.set(key, null);
      else {
        const slot = view.getUint16(at, true);
        entries.set(key, {
          sequence: sequence - (back - 1),
          slot,
          sum: view.getUint32(at + 2, true),
        });
        at += 6;
      }
    }
  }
  return delta;
}

function parseUnit(block: Uint8Array, physical: number, slot: number): Unit {
  const view = viewOf(block);
  const address = (at: number): Address => ({
    sequence: view.getUint32(at, true),
    slot: view.getUint32(at + 4, true),
  });
  return {
    physical,
    slot,
    block,
    view,
    kind: view.getUint16(8, true),
    blocks: view.getUint32(12, true),
    sequence: view.getUint32(16, true),
    durable: address(32),
    previousPoint: address(40),
    sum: view.getUint32(4, true),
  };
}

function headerSum(block: Uint8Array, field: number): number {
  return crc32(block.subarray(field + 4), crc32(block.subarray(0, field)));
}

function blockSum(number: number, at: number, bytes: Uint8Array): number {
  const prefix = new DataView(new ArrayBuffer(16));
  prefix.setBigUint64(0, BigInt(number), true);
  prefix.setBigUint64(8, BigInt(at * BLOCK), true);
  return crc32(bytes, crc32(new Uint8Array(prefix.buffer)));
}

function u64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function space(number: number): number {
  return number * 2 ** 40;
}

function text(block: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...block.subarray(at, at + length));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function fail(message: string): never {
  throw new Violation(`second reader: ${message}`);
}
