/**
 * One run: operations on a journal on a simulated disk; during each of them the power is cut at
 * every write, in several ways, and every crash image is opened and wholly compared with the model.
 * Now and then a crash becomes the truth and the run goes on from it.
 */
import { Journal } from '../../vm/store/journal.ts';
import { StoreError } from '../../vm/store/store-error.ts';
import { checkHostile } from './hostile.ts';
import { blankModel, checkJournal, type Model, type ModelGeneration, Violation } from './model.ts';
import { Random } from './random.ts';
import { type Image, SimStorage } from './sim-storage.ts';
import { type Operation, prepare } from './workload.ts';

export interface RunOptions {
  diskBytes: number;
  segmentBytes: number;
  /** Crash images per operation at most; more write events than that are sampled. */
  imagesPerOperation: number;
  /** Also damage media: rot, misdirected writes, read errors, lying flushes. */
  hostile: boolean;
  /** Small values make folds happen at every other commit. */
  deltaBytesMax: number;
}

export interface RunResult {
  images: number;
  operations: number;
  refused: number;
}

export class RunFailure extends Error {
  readonly at: number;

  constructor(at: number, operation: Operation | null, cause: Error) {
    super(`operation ${at} (${operation?.kind ?? 'format'}): ${cause.message}`, { cause });
    this.at = at;
  }
}

const BLANK: Image = new Map();

/** Carries out the operations; throws RunFailure at the first violation. */
export function run(
  operations: readonly Operation[],
  seed: number,
  options: RunOptions,
): RunResult {
  const simulation = new Simulation(seed, options);
  for (const [index, operation] of operations.entries()) {
    try {
      simulation.step(operation);
    } catch (error) {
      throw new RunFailure(index, operation, error as Error);
    }
  }
  return simulation.result;
}

class Simulation {
  readonly #options: RunOptions;
  readonly #random: Random;
  readonly result: RunResult = { images: 0, operations: 0, refused: 0 };
  #storage: SimStorage;
  #journal: Journal;
  #model: Model = blankModel();
  readonly #ever = new Map<number, ModelGeneration[]>();

  constructor(seed: number, options: RunOptions) {
    this.#options = options;
    this.#random = new Random(seed ^ 0x5bd1e995);
    this.#storage = new SimStorage(options.diskBytes, BLANK);
    Journal.format(this.#storage, {
      segmentBytes: options.segmentBytes,
      wallClockMs: 0,
      random: (count) => this.#random.bytes(count),
    });
    this.#storage.flush();
    this.#storage.forget();
    this.#journal = this.#open(this.#storage);
  }

  step(operation: Operation): void {
    const random = new Random(operation.seed ^ 0x2545f491);
    const before = this.#model;
    const { after, apply } = prepare(operation, before);
    this.result.operations++;
    this.#remember(after);
    if (operation.kind === 'reopen') this.#journal = this.#open(this.#storage);
    try {
      apply(this.#journal);
      this.#model = after;
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'JOURNAL_FULL') throw error;
      this.result.refused++;
    }
    checkJournal(this.#journal, this.#model);
    const crashed = this.#crashEverywhere(before, random);
    if (crashed && random.chance(15)) {
      // The power really went: go on from that image.
      this.#storage = new SimStorage(this.#options.diskBytes, crashed.image);
      this.#model = crashed.model;
      this.#journal = this.#open(this.#storage);
    } else this.#storage.forget();
  }

  /** Notes every generation this run ever tried to write. */
  #remember(model: Model): void {
    for (const [number, generation] of model.generations) {
      const versions = this.#ever.get(number);
      if (!versions) this.#ever.set(number, [generation]);
      else if (!versions.some((other) => other.pages === generation.pages)) {
        versions.push(generation);
      }
    }
  }

  #open(storage: SimStorage): Journal {
    return Journal.open(storage, {
      write: true,
      retention: 'manual',
      deltaBytesMax: this.#options.deltaBytesMax,
      wallClockMs: 0,
      random: (count) => this.#random.bytes(count),
    });
  }

  /**
   * Cuts the power at every event; answers one of the images and the model it turned out to hold.
   */
  #crashEverywhere(before: Model, random: Random): { image: Image; model: Model } | null {
    const { events } = this.#storage;
    const every = Math.max(1, Math.ceil(events.length / this.#options.imagesPerOperation));
    let kept: { image: Image; model: Model } | null = null;
    const counts = new Set([events.length]);
    for (let count = random.below(every); count < events.length; count += every) counts.add(count);
    for (const count of counts) {
      const image = this.#storage.crashImage(count, random);
      this.result.images++;
      // After its last event the operation was acknowledged: only the state after it will do.
      const done = count === events.length;
      const model = { ...this.#checkImage(image, before, done, random), staged: new Map() };
      if (this.#options.hostile && random.chance(25)) {
        checkHostile(
          image,
          { before, after: this.#model, ever: this.#ever },
          this.#options,
          random,
        );
        this.result.images++;
      }
      if (!kept || random.chance(20)) kept = { image, model };
    }
    return kept;
  }

  /** Opens a crash image: it must hold the state before or after, and take another commit. */
  #checkImage(image: Image, before: Model, done: boolean, random: Random): Model {
    const storage = new SimStorage(this.#options.diskBytes, image);
    const journal = this.#open(storage);
    // A power cut is no damage: nothing but a torn tail or a torn superblock may be noticed.
    const odd = journal.notices.find((notice) => !/torn|superblock copies/.test(notice));
    if (odd !== undefined) throw new Violation(`opening noticed: ${odd}`);
    const candidates = done ? [this.#model] : [this.#model, before];
    const model = { ...matching(journal, candidates), staged: new Map() };
    if (!random.chance(20)) return model;
    const next = prepare({ kind: 'commit', seed: random.bits() }, model);
    try {
      next.apply(journal);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'JOURNAL_FULL') throw error;
      return model;
    }
    checkJournal(this.#open(storage), next.after);
    return model;
  }
}

/** The first of the models that the journal agrees with; a Violation when none does. */
export function matching(journal: Journal, candidates: readonly Model[]): Model {
  const reasons: string[] = [];
  for (const model of candidates) {
    try {
      checkJournal(journal, model);
      return model;
    } catch (error) {
      if (!(error instanceof Violation) && !(error instanceof StoreError)) throw error;
      reasons.push(error.message);
    }
  }
  throw new Violation(reasons.join('; or: '));
}
