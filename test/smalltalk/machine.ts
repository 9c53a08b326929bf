/**
 * A machine for language tests: the bootstrapped image resumed from its pages, as after a power-on,
 * with a clock that jumps ahead when everybody waits. So a Delay of an hour takes no time here.
 */

import { bootstrapImage } from '../../vm/bootstrap/main.ts';
import { CompileError, compileDoIt } from '../../vm/compiler/compiler.ts';
import { CommitRequests } from '../../vm/interpreter/commit-requests.ts';
import { Interpreter } from '../../vm/interpreter/interpreter.ts';
import { ObjectMemory, type Oop } from '../../vm/memory/object-memory.ts';
import { installMethod } from '../../vm/objects/installer.ts';
import { PAGE_SHIFT, PAGE_WORDS } from '../../vm/objects/layout.ts';
import { bindingOf, imageScope } from '../../vm/objects/scope.ts';
import { PRIMITIVES } from '../../vm/primitives/table.ts';
import { methodName } from '../../vm/supervisor/coverage.ts';

/** What came of an expression. */
export interface Outcome {
  readonly kind: 'value' | 'error' | 'compileError' | 'stuck';
  readonly text: string;
}

/** The pages of an image, by page number. */
export type Pages = ReadonlyMap<number, Int32Array>;

/** How a machine differs from the product's: the stress variants of the tests. */
export interface MachineOptions {
  readonly stackWords?: number;
  readonly edenWords?: number;
  /** Gets the name of every method that is activated. */
  readonly activated?: Set<string>;
}

/** Words of the region; what the tests allocate fits. */
const REGION_WORDS = (1024 * 1024 * 1024) / 4;
const PRIORITY = 40;
const SECONDS_MAX = 60;
const RUNS_MAX = 10_000;

/** Builds the image from the class library and takes its pages. */
export function bootstrapPages(): Pages {
  const { memory } = bootstrapImage();
  return pagesOf(memory);
}

/** A generation: the pages that hold something, eden empty. */
export function pagesOf(memory: ObjectMemory): Pages {
  memory.prepareCheckpoint();
  const copy = (page: number) => memory.H.slice(page * PAGE_WORDS, (page + 1) * PAGE_WORDS);
  return new Map(memory.dirtyPages().map((page) => [page, copy(page)]));
}

/** A case that runs longer than any should. */
export class TooLong extends Error {}

export class Machine {
  readonly memory: ObjectMemory;
  readonly interpreter: Interpreter;
  output = '';
  #skewMicroseconds = 0;
  #deadlineMs = Number.POSITIVE_INFINITY;
  #process: Oop = 0;
  #value: Oop = 0;
  #error: string | null = null;
  #generation = 1;
  #printMethod: Oop = 0;

  readonly #pages: Pages;
  readonly #options: MachineOptions;

  constructor(pages: Pages, options: MachineOptions = {}) {
    this.#pages = pages;
    this.#options = options;
    const heap = new Int32Array(REGION_WORDS);
    for (const [page, words] of pages) heap.set(words, page * PAGE_WORDS);
    const cards = new Uint8Array(heap.length >> PAGE_SHIFT);
    const { edenWords, activated, ...interpreterOptions } = options;
    this.memory = new ObjectMemory({ heap, cards, ...(edenWords ? { edenWords } : {}) });
    this.memory.attach();
    this.memory.extraRoots.push((visit) => {
      if (this.#process !== 0) this.#process = visit(this.#process);
      if (this.#value !== 0) this.#value = visit(this.#value);
    });
    this.interpreter = new Interpreter({
      memory: this.memory,
      primitives: PRIMITIVES,
      host: {
        nowMicroseconds: () => this.#now(),
        consoleWrite: (text) => {
          this.output += text;
        },
        processFinished: (process, value) => {
          if (process !== this.#process) return;
          this.#process = 0;
          this.#value = value;
        },
        unhandledError: (process, _context, description) => {
          if (process === this.#process) this.#error = description;
          else this.output += `${description}\n`;
        },
        commit: (request) => {
          if (!requests.add(request)) return false;
          requests.enter(++this.#generation);
          requests.leave();
          requests.settle(this.#generation, true);
          return true;
        },
        random: (bytes) => Uint8Array.from({ length: bytes }, (_, i) => (i * 73 + 41) & 0xff),
        timeZoneOffsetSeconds: () => 0,
        generations: () => [{ number: this.#generation, wallMs: 0, label: null }],
      },
      ...interpreterOptions,
    });
    const requests = new CommitRequests(this.memory, this.interpreter.scheduler);
    if (activated === undefined) return;
    this.interpreter.methods.onFirstActivation = (code) => {
      const name = methodName(this.memory, code);
      if (name !== null) activated.add(name);
    };
  }

  /**
   * The machine as it comes back when the power goes now: a new heap from the pages of a generation
   * made at this moment, and nothing else but the clock.
   */
  resumed(): Machine {
    const pages = new Map([...this.#pages, ...pagesOf(this.memory)]);
    const machine = new Machine(pages, this.#options);
    machine.#skewMicroseconds = this.#skewMicroseconds;
    machine.#generation = this.#generation;
    return machine;
  }

  /** Evaluates statements as the console does. Throws TooLong when they do not end. */
  evaluate(source: string): Outcome {
    let method: Oop;
    try {
      method = this.#compile(source);
    } catch (error) {
      if (!(error instanceof CompileError)) throw error;
      return { kind: 'compileError', text: error.message };
    }
    const outcome = this.#run(method, this.memory.nil);
    if (outcome.kind !== 'value') return outcome;
    if (this.#printMethod === 0) this.#printMethod = this.#compile('self printString');
    const printed = this.#run(this.#printMethod, this.#value);
    if (printed.kind !== 'value') return printed;
    return { kind: 'value', text: this.memory.stringValue(this.memory.follow(this.#value)) };
  }

  #now(): number {
    const nowMs = performance.timeOrigin + performance.now();
    if (nowMs > this.#deadlineMs) throw new TooLong('it does not end');
    return Math.floor(nowMs * 1000) + this.#skewMicroseconds;
  }

  #compile(source: string): Oop {
    const { memory } = this;
    const spec = compileDoIt(source, imageScope(memory, memory.nil));
    return installMethod(memory, spec, {
      classOop: memory.nil,
      selector: spec.selector,
      source,
      protocol: null,
      bindingOf: (name) => bindingOf(memory, memory.nil, name),
    });
  }

  #run(method: Oop, receiver: Oop): Outcome {
    this.#error = null;
    this.#deadlineMs = performance.timeOrigin + performance.now() + SECONDS_MAX * 1000;
    const options = { priority: PRIORITY, name: 'test' };
    this.#process = this.interpreter.spawn(method, receiver, [], options);
    for (let run = 0; run < RUNS_MAX; run++) {
      const { status, nextTimerMs } = this.interpreter.run();
      if (this.#error !== null) return { kind: 'error', text: this.#error };
      if (this.#process === 0) return { kind: 'value', text: '' };
      if (status !== 'idle') continue;
      if (nextTimerMs === null) return { kind: 'stuck', text: 'it waits for nobody' };
      this.#skewMicroseconds += Math.max(0, Math.ceil(nextTimerMs * 1000));
    }
    return { kind: 'stuck', text: 'it waits and waits' };
  }
}
