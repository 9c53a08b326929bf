/**
 * Proves crash images without proving the same thing twice.
 *
 * What a journal answers is a function of what opening found (the head record, the changes behind
 * it, the segment table) and of the blocks read to answer. So a comparison that passed once
 * passes again on every image that (1) opens to the same findings and (2) holds the very same
 * blocks wherever that comparison read. Opening itself runs on every image. Two sizes of such
 * proofs are kept: of a whole journal, and of all pages of one generation, which also notes where
 * each segment it read from was. The simulation makes the same comparison without any proof on a
 * part of the images, so that a mistake in here would show.
 */
import { BlockReader, type Pointer } from '../../vm/store/block-reader.ts';
import type { ChangeLog } from '../../vm/store/change-log.ts';
import { sequenceOf } from '../../vm/store/format.ts';
import { Generations } from '../../vm/store/generations.ts';
import { TREE } from '../../vm/store/record.ts';
import { type Recovered, recover } from '../../vm/store/recovery.ts';
import type { Segments } from '../../vm/store/segments.ts';
import { PAGE_BYTES } from '../../vm/store/storage.ts';
import { StoreError } from '../../vm/store/store-error.ts';
import { deltaOf, rootOf } from '../../vm/store/tables.ts';
import { Unversioned } from '../../vm/store/unversioned.ts';
import { checkCount, checkJournal, compareStamp, type View } from './check.ts';
import { Disk, type Medium, type Slot } from './disk.ts';
import { type Model, type ModelGeneration, stampOf, Violation } from './model.ts';

/** Blocks a comparison read: the places, and what lay there. */
interface Read {
  places: Uint32Array;
  blocks: Slot[];
}

interface WholeProof extends Read {
  model: Model;
}

interface GenerationProof extends Read {
  pages: ModelGeneration['pages'];
  pointer: Pointer;
  /** Segments it read from: sequence number, physical index (negative: retired). */
  segments: readonly [number, number][];
  /** The relocation table, when it was asked. */
  relocations: string | null;
}

const PROOFS_MAX = 8;

/** What opening found wrong, and the model it agrees with. */
export interface Match {
  model: Model;
  notices: readonly string[];
}

export class Checker {
  #whole = new Map<string, WholeProof[]>();
  readonly #generations = new Map<number, GenerationProof[]>();
  /** Comparisons made, and answered by an earlier one. */
  readonly counts = { images: 0, whole: 0, generations: 0, generationsProved: 0 };

  /** Forgets whole proofs: their models are history once an operation is over. */
  nextOperation(model: Model): void {
    this.#whole.clear();
    for (const number of this.#generations.keys()) {
      if (!model.generations.has(number)) this.#generations.delete(number);
    }
  }

  /** Opens a medium and answers the first of the models it agrees with; else throws a Violation. */
  match(medium: Medium, candidates: readonly Model[]): Match {
    const disk = new Disk(medium);
    const found = recover(disk);
    this.counts.images++;
    const key = findingsOf(disk, found);
    const proofs = this.#whole.get(key) ?? [];
    const proved = proofs.find((proof) => candidates.includes(proof.model) && same(proof, medium));
    if (proved) {
      this.counts.whole++;
      return { model: proved.model, notices: found.notices };
    }
    const reasons: string[] = [];
    for (const model of candidates) {
      disk.touched = new Uint8Array(medium.blocks.length);
      try {
        this.#compare(disk, found, model);
      } catch (error) {
        if (!(error instanceof Violation) && !(error instanceof StoreError)) throw error;
        reasons.push(error.message);
        continue;
      }
      const proof = { model, ...readOf(medium, disk.touched) };
      this.#whole.set(key, [proof, ...proofs].slice(0, PROOFS_MAX));
      return { model, notices: found.notices };
    }
    throw new Violation(reasons.join('; or: '));
  }

  /** A look at a medium for the hostile tests: pages are proved as in match. */
  view(disk: Disk, found: Recovered): ProvingView {
    return new ProvingView(disk, found, this.#generations, this.counts);
  }

  #compare(disk: Disk, found: Recovered, model: Model): void {
    const view = this.view(disk, found);
    checkJournal(view, model, (wanted) => view.checkPages(wanted));
  }
}

/** The doors of a journal, on the parts the journal itself is made of, with proofs of pages. */
export class ProvingView implements View {
  readonly #disk: Disk;
  readonly #reader: NotingReader;
  readonly #generations: Generations;
  readonly #proofs: Map<number, GenerationProof[]>;
  readonly #counts: Checker['counts'];
  readonly #relocations: string;
  readonly unversioned: Unversioned;

  constructor(
    disk: Disk,
    found: Recovered,
    proofs: Map<number, GenerationProof[]>,
    counts: Checker['counts'],
  ) {
    this.#disk = disk;
    this.#reader = new NotingReader(disk, found.segments);
    this.#generations = new Generations(this.#reader, found);
    const { relocate } = this.#reader;
    this.#reader.relocate = (address) => {
      const moved = relocate(address);
      if (moved) this.#reader.use(sequenceOf(moved.address));
      return moved;
    };
    this.#proofs = proofs;
    this.#counts = counts;
    this.unversioned = new Unversioned(disk, found.segments.segmentBytes, false);
    const { state } = found.record;
    const { address, checksum } = rootOf(state, TREE.relocations);
    this.#relocations = JSON.stringify([address, checksum, deltaOf(state, TREE.relocations)]);
  }

  get head(): ReturnType<Generations['describe']> {
    return this.#generations.describe(this.#generations.head.record);
  }

  generation(number: number): ReturnType<Generations['describe']> | undefined {
    const loaded = this.#generations.load(number);
    return loaded && this.#generations.describe(loaded.record);
  }

  generations(limit?: number): ReturnType<Generations['list']> {
    return this.#generations.list(limit);
  }

  pageMap(...words: Parameters<Generations['pageMap']>): ReturnType<Generations['pageMap']> {
    return this.#generations.pageMap(...words);
  }

  readPage(...words: Parameters<Generations['readPage']>): boolean {
    return this.#generations.readPage(...words);
  }

  changes(...words: Parameters<ChangeLog['records']>): ReturnType<ChangeLog['records']> {
    return this.#generations.changeLog.records(...words);
  }

  lastChanges(count: number): ReturnType<ChangeLog['last']> {
    return this.#generations.changeLog.last(count);
  }

  /** Compares all pages of a generation, unless that was done before. Throws at a difference. */
  checkPages(wanted: ModelGeneration): void {
    this.#counts.generations++;
    const loaded = this.#generations.load(wanted.number);
    if (!loaded) throw new Violation(`generation ${wanted.number} is gone`);
    const proofs = this.#proofs.get(wanted.number) ?? [];
    const { pointer } = loaded;
    const proved = proofs.find((proof) => this.#holds(proof, wanted, pointer));
    if (proved) {
      this.#counts.generationsProved++;
      const { touched } = this.#disk;
      if (touched) for (const place of proved.places) touched[place] = 1;
      return;
    }
    this.#reader.begin();
    this.#reader.resolve(pointer);
    this.#comparePages(wanted);
    const proof = {
      pages: wanted.pages,
      pointer,
      segments: [...this.#reader.used],
      relocations: this.#reader.relocated ? this.#relocations : null,
      ...readOf(this.#disk.medium, this.#reader.places),
    };
    this.#proofs.set(wanted.number, [proof, ...proofs].slice(0, PROOFS_MAX));
  }

  #holds(proof: GenerationProof, wanted: ModelGeneration, pointer: Pointer): boolean {
    return (
      proof.pages === wanted.pages &&
      proof.pointer.address === pointer.address &&
      proof.pointer.checksum === pointer.checksum &&
      (proof.relocations === null || proof.relocations === this.#relocations) &&
      proof.segments.every(([sequence, place]) => this.#reader.placeOf(sequence) === place) &&
      same(proof, this.#disk.medium)
    );
  }

  #comparePages(wanted: ModelGeneration): void {
    const name = `generation ${wanted.number}`;
    const bytes = new Uint8Array(PAGE_BYTES);
    let count = 0;
    for (const { page, offsetBytes, checksum } of this.#generations.pageMap(wanted.number)) {
      count++;
      // Reading is a function of page, place, checksum and bytes: once for each block will do.
      const block = this.#disk.blockAt(offsetBytes / PAGE_BYTES);
      const proved = block?.proved;
      const known =
        proved?.page === page && proved.offsetBytes === offsetBytes && proved.checksum === checksum;
      if (known) {
        compareStamp(name, page, proved.stamp, wanted);
        continue;
      }
      this.#generations.readPage(wanted.number, page, bytes);
      const stamp = stampOf(page, bytes);
      compareStamp(name, page, stamp, wanted);
      if (block && stamp !== null) block.proved = { page, offsetBytes, checksum, stamp };
    }
    checkCount(name, count, wanted);
  }
}

/** A reader that notes the blocks and segments it is asked for, its cache notwithstanding. */
class NotingReader extends BlockReader {
  places: Uint8Array;
  readonly used = new Map<number, number>();
  relocated = false;
  readonly #touched: Uint8Array | null;

  constructor(disk: Disk, segments: Segments) {
    super(disk, segments);
    this.places = new Uint8Array(disk.sizeBytes / PAGE_BYTES);
    this.#touched = disk.touched;
  }

  /** Starts a new list. */
  begin(): void {
    this.places = new Uint8Array(this.places.length);
    this.used.clear();
    this.relocated = false;
  }

  /** The physical segment of a sequence number; negative when retired, 0 when nowhere. */
  placeOf(sequence: number): number {
    const physical = this.segments.physicalOf(sequence) ?? 0;
    return physical > 0 && this.segments.isRetired(physical) ? -physical : physical;
  }

  /** Notes that an answer depended on where a segment is. */
  use(sequence: number): void {
    this.used.set(sequence, this.placeOf(sequence));
  }

  override resolve(pointer: Pointer): { offsetBytes: number; checksum: number } | null {
    const sequence = sequenceOf(pointer.address);
    this.use(sequence);
    if (this.placeOf(sequence) <= 0) this.relocated = true;
    const found = super.resolve(pointer);
    if (found) {
      this.places[found.offsetBytes / PAGE_BYTES] = 1;
      if (this.#touched) this.#touched[found.offsetBytes / PAGE_BYTES] = 1;
    }
    return found;
  }

  override node(number: number, pointer: Pointer): Uint8Array {
    this.resolve(pointer);
    return super.node(number, pointer);
  }
}

/** Everything an opened journal is made of besides the blocks it reads later. */
function findingsOf(disk: Disk, found: Recovered): string {
  const { segments } = found;
  let low = segments.count;
  let high = segments.sequenceMax;
  for (let physical = 2; physical < segments.count; physical++) {
    const word = segments.sequenceAt(physical) * 2 + (segments.isRetired(physical) ? 1 : 0);
    low = Math.imul(low ^ word, 0x5bd1e995);
    low ^= low >>> 15;
    high = Math.imul(high + word, 0x01000193) ^ (high >>> 13);
  }
  const units = [found.head, found.point, ...found.changes].map(({ offsetBytes }) => {
    const block = disk.blockAt(offsetBytes / PAGE_BYTES);
    return `${offsetBytes} ${block?.low} ${block?.high}`;
  });
  return `${low} ${high} ${units.join()}`;
}

function readOf(medium: Medium, touched: Uint8Array): Read {
  const list: number[] = [];
  for (let place = 0; place < touched.length; place++) if (touched[place] === 1) list.push(place);
  const places = Uint32Array.from(list);
  return { places, blocks: list.map((place) => medium.blocks[place] ?? null) };
}

function same(read: Read, medium: Medium): boolean {
  const { places, blocks } = read;
  for (let index = 0; index < places.length; index++) {
    if (medium.blocks[places[index] as number] !== blocks[index]) return false;
  }
  return true;
}
