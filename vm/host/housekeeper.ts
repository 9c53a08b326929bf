/**
 * Makes room in the journal while nobody waits for it, so that no commit has to. A step of a
 * vacuum, then a rest some times as long: commits and faults that come meanwhile go first.
 *
 * Invariants: it is only woken by a commit, and rests for good when room is not short: a machine
 * that commits nothing writes nothing. A step that cannot be done ends it until the next commit;
 * what is wrong is told to whoever commits or verifies.
 */
import type { Journal } from '../store/journal.ts';
import { StoreError } from '../store/store-error.ts';

/** How long a rest is for each millisecond of work. */
const REST_SHARE = 4;
const REST_MS_MIN = 2;

export class Housekeeper {
  readonly #journal: () => Journal | null;
  readonly #journalMs: () => number;
  #steps: Iterator<unknown> | null = null;
  #timer: NodeJS.Timeout | null = null;

  /** `journal` answers the open journal, null when none is; `journalMs` its powered-on time. */
  constructor(journal: () => Journal | null, journalMs: () => number) {
    this.#journal = journal;
    this.#journalMs = journalMs;
  }

  /** To be called after each commit. */
  wake(): void {
    this.#timer ??= setTimeout(() => this.#work(), REST_MS_MIN);
  }

  /** Ends it; what was copied and is named by no record yet is dead. */
  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#steps = null;
  }

  #work(): void {
    this.#timer = null;
    const journal = this.#journal();
    if (journal === null) return;
    const begin = performance.now();
    try {
      if (this.#steps === null && !journal.wantsMaintenance) return;
      this.#steps ??= journal.maintenance(this.#journalMs());
      if (this.#steps.next().done) this.#steps = null;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#steps = null;
      return;
    }
    if (this.#steps === null) return;
    const rest = Math.max(REST_MS_MIN, (performance.now() - begin) * REST_SHARE);
    this.#timer = setTimeout(() => this.#work(), rest);
  }
}
