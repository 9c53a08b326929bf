/**
 * Processes: Squeak's structures (ProcessorScheduler, LinkedList, Semaphore, Process) and rules.
 *
 * A process that is ready lies in the list of its priority, first in, first out. One that waits
 * lies in its Semaphore, which is a LinkedList too. The running one lies in no list, and its
 * suspendedContext is nil. A process of a higher priority preempts at once; the preempted one goes
 * to the front of its list, so it goes on before its equals. Equals take turns every
 * SLICE_MICROSECONDS.
 *
 * Nothing here touches activations: these functions move Processes between lists and answer whether
 * another process should run; the base loop (interpreter.ts) switches when the stack is unwound.
 *
 * These structures belong to the image and may be broken. Whatever is not what it should be is
 * passed over; the walk along a list is bounded.
 */
import type { ObjectMemory, Oop, Visit } from '../memory/object-memory.ts';
import { FORMAT } from '../objects/layout.ts';
import {
  ASSOCIATION,
  LINKED_LIST,
  PROCESS,
  SCHEDULER,
  SEMAPHORE,
  SHAPE,
  SPECIAL,
} from '../objects/well-known.ts';

export const SLICE_MICROSECONDS = 20_000;
const LIST_LENGTH_MAX = 1_000_000;

export class Scheduler {
  readonly #memory: ObjectMemory;
  /** The ProcessorScheduler; kept here too, for `Processor` may be set to anything. */
  #scheduler: Oop = 0;
  /** The running process, nil when there is none. */
  active: Oop = 0;
  /** The running process must give way: the base loop switches to `next()`. */
  mustSwitch = false;

  constructor(memory: ObjectMemory) {
    this.#memory = memory;
    memory.extraRoots.push((visit: Visit) => {
      if (this.#scheduler !== 0) this.#scheduler = visit(this.#scheduler);
      if (this.active !== 0) this.active = visit(this.active);
    });
  }

  /** Finds the scheduler of the image. False when there is none the machine could use. */
  attach(): boolean {
    const memory = this.#memory;
    this.active = memory.nil;
    const association = memory.special(SPECIAL.schedulerAssociation);
    if (!this.#isPointers(association, 2)) return false;
    const scheduler = memory.follow(memory.fetch(association, ASSOCIATION.value));
    if (!this.#isPointers(scheduler, 2)) return false;
    if (!this.#isPointers(memory.fetch(scheduler, SCHEDULER.quiescentProcessLists), 1))
      return false;
    this.#scheduler = scheduler;
    const active = memory.follow(memory.fetch(scheduler, SCHEDULER.activeProcess));
    if (this.isProcess(active)) this.active = active;
    this.#giveWayToBetter();
    return true;
  }

  /** A generation may hold a ready process of a higher priority than the one that was running. */
  #giveWayToBetter(): void {
    const memory = this.#memory;
    if (this.active === memory.nil) return;
    const lists = this.#lists();
    for (let at = this.priority(this.active); at < memory.slotCount(lists); at++) {
      const list = memory.follow(memory.fetch(lists, at));
      if (!this.#isPointers(list, 2) || this.#first(list) === memory.nil) continue;
      this.addFirst(this.#listOf(this.active), this.active);
      this.mustSwitch = true;
      return;
    }
  }

  /**
   * Between two turns: does the switch that is due. `mustSwitch` is no part of the image: in a
   * generation made before the switch the process that gave way would run, though it lies in a
   * list, or waits.
   */
  completeSwitch(): void {
    if (!this.mustSwitch) return;
    this.mustSwitch = false;
    this.setActive(this.next());
  }

  /** Makes `process` (or nil) the running one. */
  setActive(process: Oop): void {
    this.active = process;
    this.#memory.store(this.#scheduler, SCHEDULER.activeProcess, process);
  }

  /** Whether the oop has the slots of a Process. */
  isProcess(oop: Oop): boolean {
    return this.#isPointers(oop, PROCESS.effectiveProcess);
  }

  /** Whether the oop has the slots of a Semaphore. */
  isSemaphore(oop: Oop): boolean {
    return (
      this.#isPointers(oop, SEMAPHORE.excessSignals + 1) &&
      (this.#memory.fetch(oop, SEMAPHORE.excessSignals) & 1) === 1
    );
  }

  /** A process's priority as a number; 1 when it is no SmallInteger in range. */
  priority(process: Oop): number {
    const memory = this.#memory;
    const oop = memory.fetch(process, PROCESS.priority);
    const highest = memory.slotCount(this.#lists());
    return (oop & 1) === 1 ? Math.min(Math.max(oop >> 1, 1), highest) : 1;
  }

  /**
   * Makes a process ready, or ready to preempt: then `mustSwitch` is set. While `mustSwitch` is set
   * the running process has been put where it belongs already (its list, a Semaphore, nowhere): it
   * must not be put anywhere again.
   */
  resume(process: Oop): void {
    const memory = this.#memory;
    if (this.active === memory.nil || this.mustSwitch) {
      this.addLast(this.#listOf(process), process);
      this.mustSwitch = true;
    } else if (this.priority(process) > this.priority(this.active)) {
      this.addFirst(this.#listOf(this.active), this.active);
      this.addFirst(this.#listOf(process), process);
      this.mustSwitch = true;
    } else {
      this.addLast(this.#listOf(process), process);
    }
  }

  /** Puts a process into the list of its priority; whoever runs goes on. */
  makeReady(process: Oop): void {
    this.addLast(this.#listOf(process), process);
  }

  /** Whether making `process` ready would preempt the running one. */
  wouldPreempt(process: Oop): boolean {
    if (this.active === this.#memory.nil) return true;
    return this.priority(process) > this.priority(this.active);
  }

  /** Whether the running process shares its priority with a ready one. */
  hasEqual(): boolean {
    const { nil } = this.#memory;
    if (this.active === nil) return false;
    const list = this.#listOf(this.active);
    return list !== 0 && this.#first(list) !== nil;
  }

  /** The running process goes to the back of its list. */
  yield(): void {
    this.addLast(this.#listOf(this.active), this.active);
    this.mustSwitch = true;
  }

  /** Takes the best ready process with a Context out of its list; nil when there is none. */
  next(): Oop {
    const memory = this.#memory;
    const lists = this.#lists();
    for (let priority = memory.slotCount(lists); priority >= 1; priority--) {
      const list = memory.follow(memory.fetch(lists, priority - 1));
      if (!this.#isPointers(list, 2)) continue;
      while (this.#first(list) !== memory.nil) {
        const process = this.removeFirst(list);
        if (!this.isProcess(process)) break;
        const context = memory.follow(memory.fetch(process, PROCESS.suspendedContext));
        if (memory.shapeOf(context) === SHAPE.Context) return process;
      }
    }
    return memory.nil;
  }

  /** Signals a Semaphore: the first waiting process becomes ready, or the signal is kept. */
  signal(semaphore: Oop): void {
    const memory = this.#memory;
    if (this.#first(semaphore) === memory.nil) {
      const excess = memory.fetch(semaphore, SEMAPHORE.excessSignals) >> 1;
      memory.store(semaphore, SEMAPHORE.excessSignals, ((excess + 1) << 1) | 1);
      return;
    }
    const process = this.removeFirst(semaphore);
    if (this.isProcess(process)) this.resume(process);
  }

  /** The process that a signal would make ready, or nil. */
  firstWaiting(semaphore: Oop): Oop {
    return this.#first(semaphore);
  }

  /** Takes one kept signal. False when there is none. */
  takeSignal(semaphore: Oop): boolean {
    const excess = this.#memory.fetch(semaphore, SEMAPHORE.excessSignals) >> 1;
    if (excess <= 0) return false;
    this.#memory.store(semaphore, SEMAPHORE.excessSignals, ((excess - 1) << 1) | 1);
    return true;
  }

  addLast(list: Oop, process: Oop): void {
    const memory = this.#memory;
    if (list === 0) return;
    memory.store(process, PROCESS.nextLink, memory.nil);
    memory.store(process, PROCESS.myList, list);
    if (this.#first(list) === memory.nil) memory.store(list, LINKED_LIST.firstLink, process);
    else memory.store(this.#follow(list, LINKED_LIST.lastLink), PROCESS.nextLink, process);
    memory.store(list, LINKED_LIST.lastLink, process);
  }

  addFirst(list: Oop, process: Oop): void {
    const memory = this.#memory;
    if (list === 0) return;
    const first = this.#first(list);
    memory.store(process, PROCESS.nextLink, first);
    memory.store(process, PROCESS.myList, list);
    if (first === memory.nil) memory.store(list, LINKED_LIST.lastLink, process);
    memory.store(list, LINKED_LIST.firstLink, process);
  }

  removeFirst(list: Oop): Oop {
    const memory = this.#memory;
    const first = this.#first(list);
    this.#unlink(list, memory.nil, first);
    return first;
  }

  /** Takes a process out of the list it lies in. False when it lies in none. */
  remove(process: Oop): boolean {
    const memory = this.#memory;
    const list = this.#follow(process, PROCESS.myList);
    if (!this.#isPointers(list, 2)) return false;
    let before = memory.nil;
    let current = this.#first(list);
    for (let steps = 0; steps < LIST_LENGTH_MAX; steps++) {
      if (!this.#isPointers(current, PROCESS.myList + 1)) return false;
      if (current === process) {
        this.#unlink(list, before, process);
        return true;
      }
      before = current;
      current = this.#follow(current, PROCESS.nextLink);
    }
    return false;
  }

  #unlink(list: Oop, before: Oop, process: Oop): void {
    const memory = this.#memory;
    const after = this.#isPointers(process, 1)
      ? this.#follow(process, PROCESS.nextLink)
      : memory.nil;
    if (before === memory.nil) memory.store(list, LINKED_LIST.firstLink, after);
    else memory.store(before, PROCESS.nextLink, after);
    if (after === memory.nil) memory.store(list, LINKED_LIST.lastLink, before);
    if (!this.isProcess(process)) return;
    memory.store(process, PROCESS.nextLink, memory.nil);
    memory.store(process, PROCESS.myList, memory.nil);
  }

  #lists(): Oop {
    return this.#follow(this.#scheduler, SCHEDULER.quiescentProcessLists);
  }

  /** The ready list of a process, or 0. */
  #listOf(process: Oop): Oop {
    const list = this.#follow(this.#lists(), this.priority(process) - 1);
    return this.#isPointers(list, 2) ? list : 0;
  }

  #first(list: Oop): Oop {
    return this.#follow(list, LINKED_LIST.firstLink);
  }

  #follow(oop: Oop, slot: number): Oop {
    return this.#memory.follow(this.#memory.fetch(oop, slot));
  }

  #isPointers(oop: Oop, slots: number): boolean {
    if (oop === 0 || (oop & 1) !== 0) return false;
    const memory = this.#memory;
    return memory.formatOf(oop) <= FORMAT.ephemeron && memory.slotCount(oop) >= slots;
  }
}
