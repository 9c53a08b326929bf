/**
 * One run: operations on a journal on a simulated disk; during each of them the power is cut at its
 * writes, in several ways, and every crash image is opened and wholly compared with the model. Some
 * images are used further (written to, crashed again while that goes on, damaged), sometimes one
 * becomes the truth and the run goes on from it. Some operations are done once more on a medium
 * that refuses a write.
 */
import { Journal } from '../../vm/store/journal.ts';
import { StoreError } from '../../vm/store/store-error.ts';
import { checkJournal } from './check.ts';
import { Checker } from './checker.ts';
import { Disk, type DiskEvent, Medium } from './disk.ts';
import { checkHostile, checkLied, DAMAGES, type Ever } from './hostile.ts';
import {
  blankModel,
  headOf,
  type Model,
  type ModelGeneration,
  reopened,
  Violation,
} from './model.ts';
import { PLAIN_TEARS, powerCut, TEARS } from './power.ts';
import { Random } from './random.ts';
import { SecondReader } from './second-reader.ts';
import { type Operation, type OperationKind, type Prepared, prepare } from './workload.ts';

export interface RunOptions {
  diskBytes: number;
  segmentBytes: number;
  /** Crash images per operation; Infinity: every write with every plain tear. */
  imagesPerOperation: number;
  /** Out of a hundred crash images, how many are damaged as well. */
  hostilePercent: number;
  /** Out of a hundred operations, how many are repeated on a medium that refuses a write. */
  refusalPercent: number;
  /** Small values make folds happen at every other commit. */
  deltaBytesMax: number;
  retention: 'manual' | 'automatic';
  /** Every mount draws the same random bytes: what a board without entropy would do. */
  poorEntropy: boolean;
}

export interface RunResult {
  /** Crash images checked, identical ones left out. */
  images: number;
  /** Keys of the media that were checked (disk.ts), for counting distinct ones over all runs. */
  keys: Set<number>;
  operations: number;
  refused: number;
  refusals: number;
  notices: Map<string, number>;
}

export class RunFailure extends Error {
  readonly at: number;

  constructor(at: number, operation: Operation | null, cause: Error) {
    super(`operation ${at} (${operation?.kind ?? 'format'}): ${cause.message}`, { cause });
    this.at = at;
  }
}

/** Operations that the one called powerCut interrupts. */
const INTERRUPTED: readonly OperationKind[] = [
  'commit',
  'commit',
  'stage',
  'bigCommit',
  'rollback',
  'change',
  'mark',
  'forget',
  'vacuum',
  'maintain',
  'transfer',
];
/** Operations that follow on an image that was just recovered. */
const FOLLOWING: readonly OperationKind[] = [...INTERRUPTED, 'drop', 'thin', 'unversioned'];
const REOPENING: ReadonlySet<OperationKind> = new Set(['reopen', 'grow']);
/** A power cut is no damage: what opening may notice after one. */
const HARMLESS = /torn|superblock copies/;
const LAST_KEPT = 16;
const HISTORY_MAX = 3;

/** Carries out the operations; throws RunFailure at the first violation. */
export function run(
  operations: readonly Operation[],
  seed: number,
  options: RunOptions,
  /** Operations before this one are carried out without crashes. */
  crashFrom = 0,
): RunResult {
  let at = -1;
  try {
    const simulation = new Simulation(seed, options);
    for (const [index, operation] of operations.entries()) {
      at = index;
      simulation.step(operation, index >= crashFrom);
    }
    return simulation.result;
  } catch (error) {
    throw new RunFailure(at, operations[at] ?? null, error as Error);
  }
}

interface Crash {
  medium: Medium;
  model: Model;
}

/** What an image may hold: the state after an operation or, unless it was acknowledged, before. */
interface Expectation {
  before: Model;
  after: Model;
  acknowledged: boolean;
  /** Retention may have let go of something on the way; `top` is the state after without that. */
  top: Model | null;
}

export class Simulation {
  readonly #options: RunOptions;
  readonly #random: Random;
  readonly result: RunResult = {
    images: 0,
    keys: new Set(),
    operations: 0,
    refused: 0,
    refusals: 0,
    notices: new Map(),
  };
  readonly #checker = new Checker();
  readonly #ever = new Map<number, ModelGeneration[]>();
  #disk: Disk;
  #journal: Journal;
  #model: Model = blankModel();
  /** The last operations: where each began and what it wrote. */
  #history: { medium: Medium; events: readonly DiskEvent[] }[] = [];

  constructor(seed: number, options: RunOptions) {
    this.#options = options;
    this.#random = new Random(seed ^ 0x5bd1e995);
    this.#disk = new Disk(Medium.blank(options.diskBytes));
    Journal.format(this.#disk, {
      segmentBytes: options.segmentBytes,
      wallClockMs: 0,
      random: (count) => this.#bytes(count),
    });
    this.#remember(this.#model);
    this.#crashWhileFormatting();
    this.#disk.takeIn();
    this.#journal = this.#open(this.#disk);
  }

  /** Carries out one operation, and with `crashes` everything that can go wrong meanwhile. */
  step(operation: Operation, crashes = true): void {
    const random = new Random(operation.seed ^ 0x2545f491);
    this.result.operations++;
    if (operation.kind === 'powerCut') return this.#cutPower(random);
    const before = this.#model;
    const prepared = prepare(operation, before);
    if (REOPENING.has(operation.kind)) prepared.after = reopened(prepared.after);
    this.#beforehand(operation.kind);
    const { medium } = this.#disk;
    const clean = this.#disk.events.length === 0;
    this.#carryOut(this.#journal, this.#disk, prepared);
    const after = this.#model;
    if (!crashes) return this.#disk.takeIn();
    checkJournal(this.#journal, after);
    this.#readAgain(after);
    const crash = this.#crashEverywhere(before, prepared, random);
    if (clean && random.chance(this.#options.refusalPercent)) {
      this.#refuseWrites(medium, reopened(before), operation, random);
    }
    if (random.chance(10)) this.#lie(random);
    this.#history = [...this.#history, { medium, events: this.#disk.events }].slice(-HISTORY_MAX);
    if (crash && random.chance(10)) this.#goOnFrom(crash);
    else this.#disk.takeIn();
  }

  /** What is on the medium, what that must hold, and what was ever tried to be written. */
  get world(): { medium: Medium; model: Model; ever: Ever } {
    return { medium: powerCutAtEnd(this.#disk), model: this.#model, ever: this.#ever };
  }

  #bytes(count: number): Uint8Array {
    return this.#options.poorEntropy ? new Uint8Array(count).fill(7) : this.#random.bytes(count);
  }

  #open(disk: Disk): Journal {
    return Journal.open(disk, {
      write: true,
      retention: this.#options.retention,
      deltaBytesMax: this.#options.deltaBytesMax,
      wallClockMs: 0,
      random: (count) => this.#bytes(count),
    });
  }

  #beforehand(kind: OperationKind): void {
    if (kind === 'grow') this.#disk.grow(this.#disk.sizeBytes + 3 * this.#options.segmentBytes);
    if (REOPENING.has(kind)) this.#journal = this.#open(this.#disk);
    if (kind !== 'verify') return;
    const { ok, problems } = this.#journal.verify();
    if (!ok && problems.length > 0) throw new Violation(`verify: ${JSON.stringify(problems)}`);
  }

  /** Does an operation; what it did to the model is learned where retention decides. */
  #carryOut(journal: Journal, disk: Disk, prepared: Prepared): void {
    const before = this.#model;
    const eventsBefore = disk.events.length;
    let after = prepared.after;
    try {
      prepared.apply(journal);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'JOURNAL_FULL') throw error;
      this.result.refused++;
      const wrote = disk.events.slice(eventsBefore).some((event) => event.kind === 'write');
      const changes = before !== prepared.after && prepared.refused === undefined;
      const whole = this.#options.retention === 'manual' && changes;
      if (wrote && whole) throw new Violation('an operation refused for space has written');
      after = prepared.refused ?? before;
    }
    this.#model = this.#mayThin(prepared) ? thinned(journal, before, after) : after;
    this.#remember(this.#model);
  }

  #mayThin(prepared: Prepared): boolean {
    return prepared.thins || this.#options.retention === 'automatic';
  }

  /** Notes every generation this run ever tried to write. */
  #remember(model: Model): void {
    for (const [number, generation] of model.generations) {
      const versions = this.#ever.get(number);
      if (!versions) this.#ever.set(number, [generation]);
      else if (!versions.some((other) => isSameCommit(other, generation))) {
        versions.push(generation);
      }
    }
  }

  #goOnFrom(crash: Crash): void {
    const { medium } = crash;
    const model = reopened(crash.model);
    this.#history = [];
    this.#disk = new Disk(medium);
    this.#model = model;
    this.#journal = this.#open(this.#disk);
    checkJournal(this.#journal, model);
    this.#checker.nextOperation(model);
  }

  /** An operation that the power cut interrupts; the run goes on from what is left. */
  #cutPower(random: Random): void {
    const before = this.#model;
    const prepared = prepare({ kind: random.pick(INTERRUPTED), seed: random.bits() }, before);
    this.#carryOut(this.#journal, this.#disk, prepared);
    this.#checker.nextOperation(this.#model);
    const { medium, events } = this.#disk;
    const count = random.below(events.length + 1);
    const image = powerCut(medium, events, count, random.pick(TEARS), random);
    const expected = this.#expectation(before, prepared, count === events.length);
    this.#goOnFrom({ medium: image, model: this.#checkImage(image, expected) });
  }

  /** Cuts the power at the writes of the operation; answers one of the images, by chance. */
  #crashEverywhere(before: Model, prepared: Prepared, random: Random): Crash | null {
    this.#checker.nextOperation(before);
    const { medium, events } = this.#disk;
    let kept: Crash | null = null;
    const seen = new Set<number>();
    for (const [count, tear] of this.#cuts(events.length, random)) {
      const image = powerCut(medium, events, count, tear, random);
      // After its last event the operation was acknowledged: only the state after it will do.
      const expected = this.#expectation(before, prepared, count === events.length);
      if (seen.has(image.key) && !expected.acknowledged) continue;
      seen.add(image.key);
      const model = this.#checkImage(image, expected);
      this.#furtherChecks({ medium: image, model }, random);
      if (!kept || random.chance(20)) kept = { medium: image, model };
    }
    return kept;
  }

  /** The points and ways to cut the power: all of them, or a sample that covers the operation. */
  *#cuts(
    length: number,
    random: Random,
  ): Generator<[number, (typeof TEARS)[number] | (typeof PLAIN_TEARS)[number]], void> {
    const { imagesPerOperation } = this.#options;
    yield [length, 'everything'];
    if (imagesPerOperation === Number.POSITIVE_INFINITY) {
      for (let count = 0; count <= length; count++) {
        for (const tear of PLAIN_TEARS) yield [count, tear];
      }
      return;
    }
    for (let index = 0; index < imagesPerOperation; index++) {
      const from = Math.floor((index * length) / imagesPerOperation);
      const to = Math.floor(((index + 1) * length) / imagesPerOperation);
      yield [from + random.below(to - from + 1), random.pick(TEARS)];
    }
  }

  #expectation(before: Model, prepared: Prepared, acknowledged: boolean): Expectation {
    const top = this.#mayThin(prepared) ? prepared.after : null;
    return { before, after: this.#model, acknowledged, top };
  }

  /** Opens a crash image and compares it; answers the model it holds. */
  #checkImage(medium: Medium, expected: Expectation): Model {
    this.#count(medium);
    const { model, notices } = this.#match(medium, expected);
    for (const notice of notices) {
      if (!HARMLESS.test(notice)) throw new Violation(`opening noticed: ${notice}`);
      const kind = notice.replace(/\d+/g, 'n');
      this.result.notices.set(kind, (this.result.notices.get(kind) ?? 0) + 1);
    }
    return model;
  }

  #match(medium: Medium, expected: Expectation): { model: Model; notices: readonly string[] } {
    const { before, after, acknowledged, top } = expected;
    try {
      const candidates = acknowledged || after === before ? [after] : [after, before];
      return this.#checker.match(medium, candidates);
    } catch (error) {
      if (!(error instanceof Violation) || acknowledged || !top) throw error;
      // Retention lets go of generations in several steps: any state between them will do.
      const journal = Journal.open(new Disk(medium), {
        write: false,
        wallClockMs: 0,
        random: (count) => new Uint8Array(count),
      });
      const full = journal.head.number === top.head ? top : before;
      return this.#checker.match(medium, [thinned(journal, before, full)]);
    }
  }

  #count(medium: Medium): void {
    this.result.images++;
    this.result.keys.add(medium.key);
  }

  /** What costs more, on a part of the images. */
  #furtherChecks(crash: Crash, random: Random): void {
    if (random.chance(6)) this.#useFurther(crash, random);
    if (random.chance(this.#options.hostilePercent)) {
      const older = this.#history[0]?.medium ?? crash.medium;
      const { segmentBytes } = this.#options;
      this.#count(
        checkHostile(
          { ...crash, ever: this.#ever, segmentBytes, older: sameSize(older, crash.medium) },
          this.#checker,
          random.pick(DAMAGES),
          random,
        ),
      );
    }
  }

  /** Opens an image for writing, compares it without proofs, writes, and crashes that, too. */
  #useFurther(crash: Crash, random: Random): void {
    const { medium } = crash;
    const model = reopened(crash.model);
    const disk = new Disk(medium);
    const journal = this.#open(disk);
    checkJournal(journal, model);
    const now = this.#model;
    const prepared = prepare({ kind: random.pick(FOLLOWING), seed: random.bits() }, model);
    this.#model = model;
    this.#carryOut(journal, disk, prepared);
    checkJournal(journal, this.#model);
    checkJournal(this.#open(new Disk(powerCutAtEnd(disk))), this.#model);
    for (let index = 0; index < 4; index++) {
      const count = random.below(disk.events.length + 1);
      const image = powerCut(disk.medium, disk.events, count, random.pick(TEARS), random);
      const done = count === disk.events.length;
      this.#checkImage(image, this.#expectation(model, prepared, done));
    }
    this.#model = now;
  }

  /** Flushes that were no flushes: of the last operations any part may be missing. */
  #lie(random: Random): void {
    const begin = this.#history[0];
    if (!begin || begin.medium.sizeBytes !== this.#disk.sizeBytes) return;
    const events = [...this.#history.flatMap((entry) => entry.events), ...this.#disk.events];
    for (let index = 0; index < 4; index++) {
      const count = random.below(events.length + 1);
      const sure = random.below(count + 1);
      const image = powerCut(begin.medium, events, count, random.pick(TEARS), random, sure);
      checkLied(image, this.#model, this.#ever, this.#checker);
      this.#count(image);
    }
  }

  /** Does the operation again on a medium that refuses one of its writes or flushes. */
  #refuseWrites(medium: Medium, before: Model, operation: Operation, random: Random): void {
    const prepared = prepare(operation, before);
    const all = this.#options.refusalPercent === 100;
    const writes = this.#disk.events.length + 8;
    const tries = all ? writes : 3;
    for (let index = 0; index < tries; index++) {
      const after = all ? index : random.below(writes);
      for (const kind of ['write', 'flush'] as const) {
        this.#refuse(medium, before, prepared, { kind, after });
      }
    }
  }

  #refuse(
    medium: Medium,
    before: Model,
    prepared: Prepared,
    refusal: { kind: 'write' | 'flush'; after: number },
  ): void {
    const now = this.#model;
    const disk = new Disk(medium);
    disk.refusal = refusal;
    let journal: Journal | null = null;
    let failed = false;
    this.#model = before;
    try {
      journal = this.#open(disk);
      this.#carryOut(journal, disk, prepared);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'IO_FAILED') throw error;
      // What the medium took is unknown: nothing more may be written before a new opening.
      failed = true;
      this.result.refusals++;
      const log = prepared.after.unversioned === before.unversioned;
      if (journal && log) checkNoMoreWrites(journal, disk, before);
      this.#model = prepared.after;
    }
    this.#checkImage(powerCutAtEnd(disk), this.#expectation(before, prepared, !failed));
    this.#model = now;
  }

  /** A reader of its own, from the newest superblock and the one before, finds the same. */
  #readAgain(model: Model): void {
    const medium = powerCutAtEnd(this.#disk);
    const count = Math.min(2, SecondReader.superblocksOn(medium));
    for (let skip = 0; skip < count; skip++) {
      new SecondReader(medium, skip).check(model);
    }
  }

  /** Power cuts while a journal is being made, on a blank disk. */
  #crashWhileFormatting(): void {
    const { medium, events } = this.#disk;
    const random = new Random(this.#random.bits());
    for (let count = 0; count <= events.length; count++) {
      const image = powerCut(medium, events, count, random.pick(TEARS), random);
      this.#count(image);
      try {
        this.#checker.match(image, [this.#model]);
      } catch (error) {
        const none = ['NOT_A_JOURNAL', 'JOURNAL_DAMAGED'];
        if (!(error instanceof StoreError) || !none.includes(error.code)) throw error;
        if (count === events.length) throw new Violation('no journal after formatting');
      }
    }
  }
}

/** Whether two models of a generation differ in their marks at most. */
function isSameCommit(one: ModelGeneration, other: ModelGeneration): boolean {
  return one.pages === other.pages && one.wallMs === other.wallMs && one.parent === other.parent;
}

/** What is there after everything was written and flushed. */
function powerCutAtEnd(disk: Disk): Medium {
  const { medium, events } = disk;
  return powerCut(medium, events, events.length, 'everything', new Random(0));
}

function sameSize(older: Medium, medium: Medium): Medium {
  return older.sizeBytes < medium.sizeBytes ? older.grown(medium.sizeBytes) : older;
}

/** After a write of the log failed, the journal takes no more. */
function checkNoMoreWrites(journal: Journal, disk: Disk, before: Model): void {
  const { length } = disk.events;
  try {
    journal.commit({ pages: [], wallMs: 0, journalMs: headOf(before).journalMs });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (disk.events.length === length) return;
  }
  throw new Violation('a journal whose medium refused a write went on writing');
}

/** The model after retention let go of some generations, which must be ones it may let go of. */
function thinned(journal: Journal, before: Model, after: Model): Model {
  const listed = new Set(journal.generations().map(({ number }) => number));
  const missing = [...after.generations.values()].filter(({ number }) => !listed.has(number));
  if (missing.length === 0) return after;
  const newest = [...before.generations.keys()].sort((a, b) => b - a).slice(0, LAST_KEPT);
  const generations = new Map(after.generations);
  for (const { number, pinned, label } of missing) {
    const held = before.held.has(number);
    if (pinned || held || label !== null || newest.includes(number) || number === after.head) {
      throw new Violation(`retention let go of generation ${number}, which it must keep`);
    }
    generations.delete(number);
  }
  return { ...after, generations };
}
