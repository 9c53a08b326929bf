/**
 * Processes that wait for a generation: `Journal commit`.
 *
 * A request is an Array {Semaphore. number}: its process waits on the Semaphore and then reads the
 * number. In the generation itself the process has its answer already, the number negated; in the
 * memory that goes on it gets the positive one when the generation is durable. So a program can
 * tell, as with `snapshot:`, whether it goes on or was resumed.
 *
 *     add ─ enter ─ (pages are copied) ─ leave ─ … ─ settle
 *            │ Semaphore signalled, number negative   │ Semaphore signalled, number or nil
 *            └──────────────── undone by leave ───────┘
 *
 * Invariant: every generation holds the answers of all requests that are open when it is made, also
 * of those whose own generation is not durable yet; nobody who is resumed waits for ever.
 */
import { assert } from '../base/assert.ts';
import type { ObjectMemory, Oop } from '../memory/object-memory.ts';
import { SHAPE } from '../objects/well-known.ts';
import type { Scheduler } from './scheduler.ts';

/** Slots of a request. */
const SEMAPHORE_SLOT = 0;
const NUMBER_SLOT = 1;
export const REQUEST_SLOTS = 2;

interface Request {
  oop: Oop;
  /** The generation that answers it; 0: none has been made since it came. */
  number: number;
  /** Between enter and leave: the process that was waiting, or nil. */
  waiting: Oop;
}

export class CommitRequests {
  readonly #memory: ObjectMemory;
  readonly #scheduler: Scheduler;
  #open: Request[] = [];
  #entered = false;

  constructor(memory: ObjectMemory, scheduler: Scheduler) {
    this.#memory = memory;
    this.#scheduler = scheduler;
    memory.extraRoots.push((visit) => {
      for (const request of this.#open) request.oop = visit(request.oop);
    });
  }

  /** Whether a request waits for a generation that has not been made yet. */
  get hasNew(): boolean {
    return this.#open.some(({ number }) => number === 0);
  }

  /** Takes a request; false when it is none. */
  add(oop: Oop): boolean {
    const memory = this.#memory;
    if ((oop & 1) !== 0 || memory.shapeOf(oop) !== SHAPE.Array) return false;
    if (memory.slotCount(oop) !== REQUEST_SLOTS) return false;
    this.#open.push({ oop, number: 0, waiting: memory.nil });
    return true;
  }

  /** Puts the answers where the generation `number`, which is about to be copied, finds them. */
  enter(number: number): void {
    assert(!this.#entered, 'one generation at a time');
    this.#entered = true;
    const scheduler = this.#scheduler;
    scheduler.completeSwitch();
    for (const request of this.#open) {
      if (request.number === 0) request.number = number;
      this.#answer(request, (-request.number << 1) | 1);
      request.waiting = this.#memory.nil;
      const semaphore = this.#semaphore(request);
      if (semaphore === 0) continue;
      const process = scheduler.firstWaiting(semaphore);
      if (scheduler.isProcess(process)) {
        scheduler.removeFirst(semaphore);
        scheduler.makeReady(process);
        request.waiting = process;
      } else {
        scheduler.signal(semaphore);
      }
    }
  }

  /** Takes them back: the memory that goes on waits until the generation is durable. */
  leave(): void {
    assert(this.#entered, 'entered before');
    this.#entered = false;
    const { nil } = this.#memory;
    const scheduler = this.#scheduler;
    // The last first: ready lists are then as they were.
    for (const request of this.#open.toReversed()) {
      this.#answer(request, nil);
      const semaphore = this.#semaphore(request);
      if (semaphore === 0) continue;
      if (request.waiting === nil) {
        scheduler.takeSignal(semaphore);
      } else {
        scheduler.remove(request.waiting);
        scheduler.addFirst(semaphore, request.waiting);
      }
      request.waiting = nil;
    }
  }

  /** Generation `number` is durable; or, with false, could not be made: its requests get nil. */
  settle(number: number, durable: boolean): void {
    this.#finish((request) => request.number === number, durable);
  }

  /** No generation can be made: all that wait get nil. */
  refuse(): void {
    this.#finish(() => true, false);
  }

  #finish(isDone: (request: Request) => boolean, durable: boolean): void {
    assert(!this.#entered, 'no generation is being copied');
    const done = this.#open.filter(isDone);
    this.#open = this.#open.filter((request) => !isDone(request));
    for (const request of done) {
      this.#answer(request, durable ? (request.number << 1) | 1 : this.#memory.nil);
      const semaphore = this.#semaphore(request);
      if (semaphore !== 0) this.#scheduler.signal(semaphore);
    }
  }

  #answer(request: Request, value: Oop): void {
    this.#memory.store(request.oop, NUMBER_SLOT, value);
  }

  /** The Semaphore of a request, 0 when the program has put something else there. */
  #semaphore(request: Request): Oop {
    const oop = this.#memory.follow(this.#memory.fetch(request.oop, SEMAPHORE_SLOT));
    return (oop & 1) === 0 && this.#scheduler.isSemaphore(oop) ? oop : 0;
  }
}
