/**
 * SUnit tests run from outside the image: `npm run host -- --test PATTERN`.
 *
 * The image runs the tests one after the other (TestRunner) and tells when each begins and ends.
 * What the image cannot do for itself is done here: when a test kills the vm, breaks what runs the
 * tests, switches the machine off or never gives back the processor, it is charged with that. The
 * image is started again from the generation it came from, filled again with what is to be tested,
 * and the run goes on after that test.
 *
 * Invariant: every test listed at the start has exactly one report at the end.
 */
import { stringLiteral } from './chunks.ts';
import type { StoreClient } from './store-client.ts';
import type { Outcome, Supervisor } from './supervisor.ts';

export type TestOutcome = 'passed' | 'failed' | 'error' | 'skipped';

/** What came of one test. */
export interface TestReport {
  /** `Class>>#selector`, with the parameters of a parametrized test. */
  readonly name: string;
  readonly className: string;
  readonly outcome: TestOutcome;
  /** Why it did not pass, '' when it did. */
  readonly message: string;
  readonly stack: readonly string[];
  readonly seconds: number;
}

/** How many tests there were of each outcome. */
export type TestTally = Record<TestOutcome, number>;

/** What a test gets beyond twice its own limit: the image may need it to end the test. */
const GRACE_MS = 10_000;

interface ListedTest {
  readonly className: string;
  readonly name: string;
}

type Result = Pick<TestReport, 'outcome' | 'message' | 'stack' | 'seconds'>;

export class TestSession {
  /** Names of the methods activated so far, when the machine tells them. */
  readonly activated = new Set<string>();
  readonly #supervisor: Supervisor;
  readonly #store: StoreClient;
  readonly #runner: string;
  readonly #told: (report: TestReport) => void;
  readonly #fill: () => Promise<boolean>;
  readonly #listed: ListedTest[] = [];
  readonly #reports: TestReport[] = [];
  /** Index of the test that runs, from 1. */
  #running: number | null = null;
  /** The last test that ended, until the next has ended too: the image may still break of it. */
  #ended: { readonly index: number; readonly result: Result } | null = null;
  /** Why the running test was begun once more, in a fresh image: it or the one before broke it. */
  #suspicion: string | null = null;
  #libraryText = '';
  #watchdog: NodeJS.Timeout | undefined;

  /**
   * `fill` puts what is to be tested into a vm that has just been started, true when that worked;
   * `told` gets each report as soon as it is final.
   */
  constructor(options: {
    supervisor: Supervisor;
    store: StoreClient;
    patterns: readonly string[];
    fill: () => Promise<boolean>;
    told: (report: TestReport) => void;
  }) {
    this.#supervisor = options.supervisor;
    this.#store = options.store;
    this.#fill = options.fill;
    this.#told = options.told;
    const patterns = options.patterns.map((pattern) => stringLiteral(pattern)).join(' ');
    this.#runner = `(TestRunner matchingAny: #(${patterns}))`;
  }

  /**
   * Runs the tests that the patterns select, in a vm that is filled; `generation` is the one it was
   * started from. Throws a sentence when they cannot be listed.
   */
  async run(generation: number): Promise<readonly TestReport[]> {
    const supervisor = this.#supervisor;
    supervisor.onTestEvent = (fields, activated) => this.#hear(fields, activated);
    const listing = await supervisor.evaluate(`${this.#runner} tell`);
    if (listing.kind !== 'value') throw new Error(`Cannot list the tests: ${reasonOf(listing)}`);
    const count = this.#listed.length;
    for (let next = 1; next <= count; ) {
      this.#watch(0);
      const outcome = await supervisor.evaluate(`${this.#runner} runFrom: ${next}`);
      clearTimeout(this.#watchdog);
      if (outcome.kind === 'value') break;
      next = this.#charge(next, outcome);
      if (next <= count) await this.#goBackTo(generation);
    }
    this.#settleEnded();
    return this.#reports;
  }

  /** The library's methods as `parseLibrary` reads them, in the image as it is now. */
  async libraryMethods(): Promise<string> {
    const outcome = await this.#supervisor.evaluate('(TestRunner matchingAny: #()) tellLibrary');
    if (outcome.kind !== 'value') throw new Error(`Cannot count methods: ${reasonOf(outcome)}`);
    return this.#libraryText;
  }

  #hear(fields: readonly string[], activated: readonly string[]): void {
    for (const name of activated) this.activated.add(name);
    const [kind, first = '', second = '', ...rest] = fields;
    if (kind === 'test') {
      this.#listed.push({ className: first, name: second });
    } else if (kind === 'library') {
      this.#libraryText = first;
    } else if (kind === 'started') {
      this.#running = Number(first);
      this.#watch(Number(second));
    } else if (kind === 'ended') {
      const [microseconds, message = '', ...stack] = rest;
      const seconds = Number(microseconds) / 1e6;
      const result = { outcome: second as TestOutcome, message, stack, seconds };
      if (this.#suspicion !== null) this.#chargeEnded(this.#suspicion);
      this.#settleEnded();
      this.#running = null;
      this.#ended = { index: Number(first), result };
      this.#watch(0);
    }
  }

  #settleEnded(): void {
    if (this.#ended !== null) this.#report(this.#ended.index, this.#ended.result);
    this.#ended = null;
  }

  #report(index: number, result: Result): void {
    const test = this.#listed[index - 1];
    if (test === undefined) return;
    const report = { ...test, ...result };
    this.#reports.push(report);
    this.#told(report);
  }

  /** Ends the vm when the image is silent for longer than the running test may take. */
  #watch(limitMs: number): void {
    clearTimeout(this.#watchdog);
    const sentence = 'the test did not end, and the image could not end it';
    this.#watchdog = setTimeout(() => this.#supervisor.end(sentence), 2 * limitMs + GRACE_MS);
  }

  /**
   * Finds out which test ended the run; answers the index of the one to go on with. When what runs
   * the tests has failed, the test under way is begun again in a fresh image: if it ends there, the
   * one before it is to blame.
   */
  #charge(next: number, outcome: Outcome): number {
    const reason = reasonOf(outcome);
    const running = this.#running;
    this.#running = null;
    if (running === null && this.#ended !== null) {
      const after = this.#ended.index + 1;
      this.#chargeEnded(reason);
      this.#settleEnded();
      return after;
    }
    if (running !== null && outcome.kind === 'error' && this.#ended?.index === running - 1) {
      if (this.#suspicion === null) {
        this.#suspicion = reason;
        return running;
      }
    }
    this.#suspicion = null;
    this.#settleEnded();
    const charged = running ?? next;
    this.#report(charged, { outcome: 'error', message: reason, stack: [], seconds: 0 });
    return charged + 1;
  }

  /** The test that ended last has broken the image. */
  #chargeEnded(reason: string): void {
    this.#suspicion = null;
    if (this.#ended === null) return;
    const { index, result } = this.#ended;
    const message = `the image did not survive the test: ${reason}`;
    this.#ended = { index, result: { ...result, outcome: 'error', message } };
  }

  async #goBackTo(generation: number): Promise<void> {
    await this.#supervisor.stop();
    const { number } = await this.#store.call('rollback', { generation });
    await this.#supervisor.start(number);
    if (!(await this.#fill())) throw new Error('Cannot go on: what is to be tested does not load');
  }
}

/** Counts the outcomes. */
export function tallyOf(reports: readonly TestReport[]): TestTally {
  const tally: TestTally = { passed: 0, failed: 0, error: 0, skipped: 0 };
  for (const { outcome } of reports) tally[outcome]++;
  return tally;
}

/** The closing line: `N passed, N failed, N errors`, and what was skipped, if anything. */
export function describeTally({ passed, failed, error, skipped }: TestTally): string {
  const tail = skipped > 0 ? `, ${skipped} skipped` : '';
  return `${passed} passed, ${failed} failed, ${error} errors${tail}`;
}

function reasonOf(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'error':
      return outcome.description;
    case 'compileError':
      return outcome.message;
    case 'vmDied':
      return outcome.reason;
    default:
      return 'it ended without a result';
  }
}
