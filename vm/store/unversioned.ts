/**
 * The unversioned area: small values that no rollback takes back and no history keeps (boot
 * counters, the reason of the last crash, kept secrets). Two copies, written in place one after the
 * other with a flush between; the newer valid one counts, so a power cut leaves the old or the new
 * value, and one rotten copy costs nothing. After a cut the copy that was left behind comes first:
 * the other is the only one there is.
 *
 *   0 8 bytes "PALUNVER"   8 u32 checksum without this field   12 u32 payload bytes   16 u64 counter
 *  24 payload: (u8 key bytes, u16 value bytes, key, value) one after the other
 * The checksum covers the first block and the rest of the payload after it.
 */
import { assert } from '../base/assert.ts';
import { ByteReader, ByteWriter, getUint64, setUint64, viewOf } from '../base/bytes.ts';
import { checksum } from '../base/checksum.ts';
import { UNVERSIONED_BYTES, UNVERSIONED_OFFSET } from './format.ts';
import { readPatiently } from './reading.ts';
import { PAGE_BYTES, type Storage } from './storage.ts';
import { StoreError } from './store-error.ts';

const MAGIC = new TextEncoder().encode('PALUNVER');
const HEADER_BYTES = 24;

export class Unversioned {
  readonly #storage: Storage;
  /** The copies in the order of writing: never first the only one that holds the newest values. */
  #offsets: readonly [number, number];
  readonly #writable: boolean;
  #values = new Map<string, Uint8Array>();
  #counter = 0;
  /** Copies that could not be used when the journal was opened. */
  readonly damaged: number;

  constructor(storage: Storage, segmentBytes: number, writable: boolean) {
    this.#storage = storage;
    this.#writable = writable;
    const first = UNVERSIONED_OFFSET;
    const second = segmentBytes + UNVERSIONED_OFFSET;
    const copies = [first, second].map((offset) => readCopy(storage, offset));
    for (const copy of copies) {
      if (!copy || copy.counter < this.#counter) continue;
      this.#counter = copy.counter;
      this.#values = copy.values;
    }
    const [a, b] = copies;
    this.#offsets = (a?.counter ?? -1) > (b?.counter ?? -1) ? [second, first] : [first, second];
    this.damaged = copies.filter((copy) => copy === null).length;
  }

  /** A copy of the value of `key`, or undefined. */
  read(key: string): Uint8Array | undefined {
    return this.#values.get(key)?.slice();
  }

  /** The keys there are. */
  keys(): string[] {
    return [...this.#values.keys()];
  }

  /** Sets a value, or removes it with undefined; durable in both copies on return. */
  write(key: string, bytes: Uint8Array | undefined): void {
    if (!this.#writable) {
      throw new StoreError('READ_ONLY', `Cannot write ${key}: the journal was opened for reading`);
    }
    const values = new Map(this.#values);
    if (bytes) values.set(key, bytes.slice());
    else values.delete(key);
    const area = this.#storage.allocate(UNVERSIONED_BYTES);
    const length = encode(area, values, this.#counter + 1, key);
    const written = area.subarray(0, Math.ceil(length / PAGE_BYTES) * PAGE_BYTES);
    const [first, second] = this.#offsets;
    try {
      this.#storage.write(first, written);
      this.#storage.flush();
      this.#offsets = [second, first];
      this.#storage.write(second, written);
      this.#storage.flush();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new StoreError('IO_FAILED', `Cannot write ${key}: ${reason}; try again`, error);
    }
    this.#values = values;
    this.#counter++;
  }
}

/** Writes both copies empty, for a new journal. The caller flushes. */
export function formatUnversioned(storage: Storage, segmentBytes: number): void {
  const area = storage.allocate(UNVERSIONED_BYTES);
  encode(area, new Map(), 0, '');
  storage.write(UNVERSIONED_OFFSET, area);
  storage.write(segmentBytes + UNVERSIONED_OFFSET, area);
}

function encode(
  area: Uint8Array,
  values: ReadonlyMap<string, Uint8Array>,
  counter: number,
  key: string,
): number {
  const writer = new ByteWriter(area, HEADER_BYTES);
  for (const [name, value] of values) {
    const nameBytes = new TextEncoder().encode(name);
    assert(nameBytes.length <= 255, 'a key of at most 255 bytes');
    if (3 + nameBytes.length + value.length > writer.room) {
      throw new StoreError(
        'UNVERSIONED_FULL',
        `Cannot write ${key}: the unversioned area holds ${UNVERSIONED_BYTES} bytes; ` +
          'remove other values first',
      );
    }
    writer.byte(nameBytes.length);
    writer.uint16(value.length);
    writer.raw(nameBytes);
    writer.raw(value);
  }
  const view = viewOf(area);
  area.set(MAGIC, 0);
  view.setUint32(12, writer.position - HEADER_BYTES, true);
  setUint64(view, 16, counter);
  view.setUint32(8, sumOf(area, writer.position), true);
  return writer.position;
}

function sumOf(area: Uint8Array, end: number): number {
  return checksum(area.subarray(12, end), checksum(area.subarray(0, 8)));
}

function readCopy(
  storage: Storage,
  offset: number,
): { counter: number; values: Map<string, Uint8Array> } | null {
  const area = storage.allocate(UNVERSIONED_BYTES);
  if (!readPatiently(storage, offset, area)) return null;
  const view = viewOf(area);
  const end = HEADER_BYTES + view.getUint32(12, true);
  if (!MAGIC.every((byte, index) => area[index] === byte) || end > area.length) return null;
  if (sumOf(area, end) !== view.getUint32(8, true)) return null;
  const reader = new ByteReader(area, HEADER_BYTES, end);
  const values = new Map<string, Uint8Array>();
  while (reader.position < end && !reader.failed) {
    const nameLength = reader.byte();
    const valueLength = reader.uint16();
    const name = new TextDecoder().decode(reader.raw(nameLength));
    values.set(name, reader.raw(valueLength));
  }
  return reader.failed ? null : { counter: getUint64(view, 16), values };
}
