/**
 * Export and import: a generation, or the difference between two, as a stream of bytes that
 * another journal takes in as a new generation. Bytes in docs/FORMAT.md, "Export stream".
 *
 *   header   0 "PALEXPRT"   8 u32 version   12 u32 checksum of the header without this field
 *           16 journal id, 16 bytes         32 u64 generation   40 u64 base (2^48 - 1 = none: whole)
 *           48 f64 wall clock, 56 f64 journal time of the generation   64 u16 label bytes
 *           66 u16 meta bytes   68 u32 zero   72 label, meta, zeros up to 512
 *   frame    0 u32 pages (1 to 256)   4 u32 checksum of everything behind it in the frame
 *            8 pages times u64: page number, plus 2^52 when the generation has no such page
 *              then 4096 bytes for each page it has
 *   end      0 u32 0   4 u32 checksum of what follows   8 u64 pages in all   16 u32 checksum of all
 *              frame checksums one after the other     20 u32 zero
 *
 * Invariants: page numbers rise through the whole stream; nothing becomes a generation before the
 * end of the stream has proved that all of it came.
 */
import { assert } from '../base/assert.ts';
import { getUint64, setUint64, viewOf } from '../base/bytes.ts';
import { checksum } from '../base/checksum.ts';
import { SPACE_SIZE } from './format.ts';
import type { Generation, PageWrite } from './generation.ts';
import { type Journal, nameOf } from './journal.ts';
import { LABEL_BYTES_MAX, labelBytes, META_BYTES_MAX } from './record.ts';
import { PAGE_BYTES } from './storage.ts';
import { StoreError } from './store-error.ts';

const MAGIC = new TextEncoder().encode('PALEXPRT');
const STREAM_VERSION = 1;
const HEADER_BYTES = 512;
const TEXT_OFFSET = 72;
const FRAME_PAGES_MAX = 256;
const END_BYTES = 24;
const NO_BASE = 2 ** 48 - 1;
const DROPPED = 2 ** 52;
assert(TEXT_OFFSET + LABEL_BYTES_MAX + META_BYTES_MAX <= HEADER_BYTES, 'the header holds its text');

/** Takes bytes of a stream; they may be used again when it returns. */
export type Sink = (bytes: Uint8Array) => void;
/** Gives the next `count` bytes of a stream, fewer only at its end. */
export type Source = (count: number) => Uint8Array;
/** Told now and then how many pages have gone through. */
export type TransferProgress = (pages: number) => void;

export interface ExportOptions {
  generation: number;
  /** Only what differs from this generation; the other journal must have it. */
  base?: number;
}

/** Writes a generation, or its difference from `base`, to `sink`; answers the pages in it. */
export function exportGeneration(
  journal: Journal,
  { generation, base }: ExportOptions,
  sink: Sink,
  progress?: TransferProgress,
): number {
  const found = journal.generation(generation);
  if (!found) throw notKept('export', generation);
  if (base !== undefined && !journal.generation(base)) throw notKept('export', base);
  // What is a copy keeps the name of what it is a copy of: its differences fit where that is.
  sink(encodeHeader(journal, found, base));
  const frames = new FrameWriter(sink);
  const page = new Uint8Array(PAGE_BYTES);
  for (const difference of journal.differences(base ?? null, generation)) {
    const has = difference.after !== null && journal.readPage(generation, difference.page, page);
    frames.add(difference.page, has ? page : null);
    if (frames.pages % FRAME_PAGES_MAX === 0) progress?.(frames.pages);
  }
  frames.end();
  progress?.(frames.pages);
  return frames.pages;
}

/**
 * Takes a stream in as a new generation of `journal`, which becomes the head. Throws BAD_STREAM when
 * it is not one, is damaged or ends early, NO_SUCH_GENERATION when its base is not here; then
 * nothing has changed.
 */
export function importGeneration(
  journal: Journal,
  source: Source,
  now: { wallMs: number; journalMs: number },
  progress?: TransferProgress,
): Generation {
  const header = decodeHeader(take(source, HEADER_BYTES, 'its header'));
  const over = header.base === null ? null : findBase(journal, header.id, header.base);
  const frames = new FrameReader(source);
  const release = over === null ? () => {} : journal.hold(over);
  journal.unstage();
  try {
    for (let pages = frames.next(); pages; pages = frames.next()) {
      journal.stage({ pages, journalMs: now.journalMs });
      progress?.(frames.pages);
    }
    return journal.commit({
      ...now,
      pages: [],
      over,
      kind: 'import',
      origin: { id: header.id, generation: header.generation },
      label: header.label,
      meta: header.meta,
    });
  } catch (error) {
    journal.unstage();
    throw error;
  } finally {
    release();
  }
}

interface Header {
  id: Uint8Array;
  generation: number;
  base: number | null;
  label: string | null;
  meta: Uint8Array;
}

function encodeHeader(journal: Journal, from: Generation, base: number | undefined): Uint8Array {
  const block = new Uint8Array(HEADER_BYTES);
  const view = viewOf(block);
  const label = labelBytes(from.label);
  block.set(MAGIC, 0);
  view.setUint32(8, STREAM_VERSION, true);
  block.set(journal.idBytes, 16);
  setUint64(view, 32, from.number);
  setUint64(view, 40, base ?? NO_BASE);
  view.setFloat64(48, from.wallMs, true);
  view.setFloat64(56, from.journalMs, true);
  view.setUint16(64, label.length, true);
  view.setUint16(66, from.meta.length, true);
  block.set(label, TEXT_OFFSET);
  block.set(from.meta, TEXT_OFFSET + label.length);
  view.setUint32(12, headerSum(block), true);
  return block;
}

function decodeHeader(block: Uint8Array): Header {
  const view = viewOf(block);
  if (!MAGIC.every((byte, index) => block[index] === byte)) {
    throw badStream('it does not begin as an export does; wanted what "export" wrote');
  }
  const version = view.getUint32(8, true);
  if (version !== STREAM_VERSION) {
    throw badStream(`its version is ${version}, this program reads version ${STREAM_VERSION}`);
  }
  const [labelLength, metaLength] = [view.getUint16(64, true), view.getUint16(66, true)];
  const generation = getUint64(view, 32);
  const base = getUint64(view, 40);
  const possible =
    headerSum(block) === view.getUint32(12, true) &&
    labelLength <= LABEL_BYTES_MAX &&
    metaLength <= META_BYTES_MAX &&
    Number.isSafeInteger(generation) &&
    Number.isSafeInteger(base);
  if (!possible) throw badStream('its header is damaged; export it again');
  const label = new TextDecoder().decode(block.slice(TEXT_OFFSET, TEXT_OFFSET + labelLength));
  const metaOffset = TEXT_OFFSET + labelLength;
  return {
    id: block.slice(16, 32),
    generation,
    base: base === NO_BASE ? null : base,
    label: label === '' ? null : label,
    meta: block.slice(metaOffset, metaOffset + metaLength),
  };
}

function headerSum(block: Uint8Array): number {
  return checksum(block.subarray(16), checksum(block.subarray(0, 12)));
}

/** The generation here that is, or is a copy of, generation `base` of the journal named `id`. */
function findBase(journal: Journal, id: Uint8Array, base: number): number {
  const same = (other: Uint8Array): boolean => id.every((byte, index) => other[index] === byte);
  if (same(journal.idBytes) && journal.generation(base)) return base;
  for (const { number, origin } of journal.generations()) {
    if (origin && origin.generation === base && same(origin.id)) return number;
  }
  throw new StoreError(
    'NO_SUCH_GENERATION',
    `Cannot import: the stream is a difference from generation ${base} of journal ${nameOf(id)}, ` +
      'which is not here; import that generation first, or export the whole one',
  );
}

class FrameWriter {
  readonly #sink: Sink;
  #numbers: number[] = [];
  #bytes: Uint8Array[] = [];
  #sums = 0;
  pages = 0;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  add(page: number, bytes: Uint8Array | null): void {
    this.#numbers.push(bytes ? page : page + DROPPED);
    if (bytes) this.#bytes.push(bytes.slice());
    this.pages++;
    if (this.#numbers.length === FRAME_PAGES_MAX) this.#flush();
  }

  end(): void {
    this.#flush();
    const end = new Uint8Array(END_BYTES);
    const view = viewOf(end);
    setUint64(view, 8, this.pages);
    view.setUint32(16, this.#sums, true);
    view.setUint32(4, checksum(end.subarray(8)), true);
    this.#sink(end);
  }

  #flush(): void {
    if (this.#numbers.length === 0) return;
    const head = new Uint8Array(8 + 8 * this.#numbers.length);
    const view = viewOf(head);
    view.setUint32(0, this.#numbers.length, true);
    for (const [index, number] of this.#numbers.entries()) setUint64(view, 8 + 8 * index, number);
    let sum = checksum(head.subarray(8));
    for (const bytes of this.#bytes) sum = checksum(bytes, sum);
    view.setUint32(4, sum, true);
    this.#sums = checksum(head.subarray(4, 8), this.#sums);
    this.#sink(head);
    for (const bytes of this.#bytes) this.#sink(bytes);
    this.#numbers = [];
    this.#bytes = [];
  }
}

class FrameReader {
  readonly #source: Source;
  #before = -1;
  #sums = 0;
  pages = 0;

  constructor(source: Source) {
    this.#source = source;
  }

  /** The pages of the next frame, proved; null at the end, which is proved as well. */
  next(): PageWrite[] | null {
    const head = take(this.#source, 8, 'a frame').slice();
    const count = viewOf(head).getUint32(0, true);
    const sum = viewOf(head).getUint32(4, true);
    if (count === 0) return this.#end(sum);
    if (count > FRAME_PAGES_MAX) throw badStream('a frame has an impossible length');
    const numbers = take(this.#source, 8 * count, 'page numbers').slice();
    const pages: PageWrite[] = [];
    let found = checksum(numbers);
    for (let index = 0; index < count; index++) {
      const number = getUint64(viewOf(numbers), 8 * index);
      const page = number >= DROPPED ? number - DROPPED : number;
      if (!(page > this.#before) || page >= 2 * SPACE_SIZE) {
        throw badStream('its page numbers do not rise');
      }
      this.#before = page;
      const bytes = number >= DROPPED ? null : take(this.#source, PAGE_BYTES, 'a page').slice();
      if (bytes) found = checksum(bytes, found);
      pages.push({ page, bytes });
    }
    if (found !== sum) throw badStream(`what follows page ${this.pages} does not match its sum`);
    this.#sums = checksum(head.subarray(4, 8), this.#sums);
    this.pages += count;
    return pages;
  }

  #end(sum: number): null {
    const rest = take(this.#source, END_BYTES - 8, 'its end');
    const view = viewOf(rest);
    const whole =
      checksum(rest) === sum &&
      getUint64(view, 0) === this.pages &&
      view.getUint32(8, true) === this.#sums;
    if (!whole) throw badStream('its end does not match what came before');
    return null;
  }
}

function take(source: Source, count: number, what: string): Uint8Array {
  const bytes = source(count);
  if (bytes.length === count) return bytes;
  throw badStream(`it ends in the middle of ${what}`);
}

function badStream(reason: string): StoreError {
  return new StoreError('BAD_STREAM', `Cannot import the stream: ${reason}`);
}

function notKept(action: string, number: number): StoreError {
  return new StoreError(
    'NO_SUCH_GENERATION',
    `Cannot ${action}: generation ${number} is not kept; log shows those that are`,
  );
}
