/**
 * The vm's thread: interpreter and heap, and nothing that waits for a disk. It sleeps when no
 * process can run; a message, a timer or a commit that has become durable wakes it.
 *
 * Everything from outside is handled between turns of the interpreter, when every activation is in
 * a heap Context: that is the only time at which a checkpoint can be taken.
 */
import { randomBytes } from 'node:crypto';
import {
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  workerData,
} from 'node:worker_threads';
import { assert } from '../base/assert.ts';
import { CommitRequests } from '../interpreter/commit-requests.ts';
import { Debugger } from '../interpreter/debugger.ts';
import { Interpreter } from '../interpreter/interpreter.ts';
import type { InterpreterHost } from '../interpreter/primitive-interface.ts';
import { ObjectMemory, type Oop } from '../memory/object-memory.ts';
import { CONTROL, INTERRUPT, PAGE_BYTES } from '../objects/layout.ts';
import { PRIMITIVES } from '../primitives/table.ts';
import { Checkpointer } from '../supervisor/checkpointer.ts';
import { methodName } from '../supervisor/coverage.ts';
import { Evaluator } from '../supervisor/evaluator.ts';
import { type FromVm, SIGNAL, type StoreToVm, type ToVm } from '../supervisor/messages.ts';
import { loadAddon } from './addon.ts';
import { forwardClock } from './clock.ts';
import { defaultRamBytes, edenWordsOf, RamBudget } from './ram-budget.ts';

export interface VmWorkerData {
  readonly signals: SharedArrayBuffer;
  readonly storePort: MessagePort;
  readonly regionBytes: number;
  /** RAM for the heap; null: what there is. */
  readonly ramBytes: number | null;
  /** The generation the region shows. */
  readonly generation: number;
  readonly generations: readonly { number: number; wallMs: number; label: string | null }[];
  readonly firstTicket: number;
  readonly signalStack: boolean;
  /** Tests are run: their news is sent on, with the methods activated if those are `counted`. */
  readonly tests: 'none' | 'run' | 'counted';
}

type Event =
  | { readonly kind: 'finished'; process: Oop; value: Oop }
  | { readonly kind: 'error'; process: Oop; context: Oop; readonly description: string };

const FOREVER_MS = 2 ** 30;
/** Characters of output sent at once, and sent but not yet taken by the terminal. */
const OUTPUT_PIECE = 1024;
const OUTPUT_AHEAD_MAX = 4096;
/**
 * A deeper recursion is an error. Its Contexts are objects: when it stops they are committed like
 * all others, so this also bounds what an endless recursion costs the journal.
 */
const STACK_BYTES_MAX = 8 * 2 ** 20;

class VmThread {
  readonly #data: VmWorkerData;
  readonly #port: MessagePort;
  readonly #signals: Int32Array;
  readonly #memory: ObjectMemory;
  readonly #interpreter: Interpreter;
  readonly #evaluator: Evaluator;
  #events: Event[] = [];
  readonly #requests: CommitRequests;
  readonly #checkpointer: Checkpointer;
  readonly #budget: RamBudget;
  #commitWanted = false;
  #shutdownWanted: 'restart' | 'poweroff' | null = null;
  readonly #clock: () => number;
  readonly #generations: { number: number; wallMs: number; label: string | null }[];
  #stopped = false;

  constructor(data: VmWorkerData, port: MessagePort) {
    this.#data = data;
    this.#port = port;
    this.#generations = [...data.generations];
    this.#clock = forwardClock(data.generations[0]?.wallMs ?? 0);
    this.#signals = new Int32Array(data.signals);
    const addon = loadAddon();
    if (data.signalStack) addon.signalStack();
    const ramBytes = data.ramBytes ?? defaultRamBytes();
    const heap = new Int32Array(addon.view(0, data.regionBytes));
    const cards = new Uint8Array(data.regionBytes / PAGE_BYTES);
    this.#memory = new ObjectMemory({ heap, cards, edenWords: edenWordsOf(ramBytes) });
    this.#memory.attach();
    this.#memory.extraRoots.push((visit) => {
      for (const event of this.#events) {
        event.process = visit(event.process);
        if (event.kind === 'finished') event.value = visit(event.value);
        else if (event.context !== 0) event.context = visit(event.context);
      }
    });
    this.#interpreter = new Interpreter({
      memory: this.#memory,
      primitives: PRIMITIVES,
      spilledBytesMax: STACK_BYTES_MAX,
      host: this.#host(() => addon.die()),
    });
    if (data.tests === 'counted') this.#noteActivations();
    this.#requests = new CommitRequests(this.#memory, this.#interpreter.scheduler);
    this.#checkpointer = new Checkpointer({
      memory: this.#memory,
      requests: this.#requests,
      generation: data.generation,
      ticket: data.firstTicket,
      host: {
        post: (message) => this.#data.storePort.postMessage(message),
        waitForNews: (ms) => this.#waitForNews(ms),
        nowMs: () => performance.now(),
        committed: (number) =>
          this.#generations.unshift({ number, wallMs: this.#clock(), label: null }),
      },
    });
    this.#budget = new RamBudget({
      addon,
      memory: this.#memory,
      checkpointer: this.#checkpointer,
      ramBytes,
      waitForNews: (ms) => this.#waitForNews(ms),
    });
    this.#evaluator = new Evaluator({
      memory: this.#memory,
      interpreter: this.#interpreter,
      debugger: new Debugger(this.#interpreter),
      host: {
        post: (message) => this.#post(message),
        checkpoint: () => this.#checkpointer.request(1),
      },
    });
  }

  /** Runs until the supervisor says stop. */
  run(): void {
    this.#post({ kind: 'ready' });
    this.#evaluator.startSession();
    while (!this.#stopped) {
      const seen = Atomics.load(this.#signals, SIGNAL.wake);
      if (this.#handleAll()) continue;
      this.#budget.keep();
      const turnMs = this.#checkpointer.step();
      const result = this.#interpreter.run(turnMs * 1000);
      if (result.ran) Atomics.add(this.#signals, SIGNAL.runs, 1);
      if (this.#commitWanted) {
        this.#commitWanted = false;
        this.#checkpointer.request(1);
      }
      if (this.#shutdownWanted !== null) {
        const how = this.#shutdownWanted;
        this.#shutdownWanted = null;
        this.#post({ kind: 'shutdown', how, ticket: this.#checkpointer.request(1) });
      }
      if (this.#handleAll() || result.status !== 'idle' || this.#checkpointer.isReady) continue;
      const { nextTimerMs } = result;
      Atomics.store(this.#signals, SIGNAL.sleeps, 1);
      Atomics.wait(
        this.#signals,
        SIGNAL.wake,
        seen,
        Math.min(nextTimerMs ?? FOREVER_MS, FOREVER_MS),
      );
      Atomics.store(this.#signals, SIGNAL.sleeps, 0);
    }
    this.#post({ kind: 'stopped' });
  }

  /** Handles everything that has come from outside; true when there was something. */
  #handleAll(): boolean {
    Atomics.and(
      this.#memory.H,
      CONTROL.interrupt,
      ~(INTERRUPT.host | INTERRUPT.checkpoint | INTERRUPT.userInterrupt),
    );
    this.#receiveCommits();
    let handled = this.#handleEvents();
    for (;;) {
      const received = receiveMessageOnPort(this.#port) as { message: ToVm } | undefined;
      if (received === undefined) break;
      this.#handle(received.message);
      handled = true;
    }
    return handled;
  }

  #handle(message: ToVm): void {
    switch (message.kind) {
      case 'evaluate':
        this.#evaluator.evaluate(message);
        return;
      case 'debug':
        this.#evaluator.debug(message.id, message.command);
        return;
      case 'checkpoint':
        this.#checkpointer.request(message.dirtyPagesMin);
        return;
      case 'interrupt':
        this.#evaluator.interrupt(this.#interpreter.activeProcess);
        this.#post({ kind: 'interrupted' });
        return;
      case 'stop':
        this.#stopped = true;
    }
  }

  /** Processes that ended or stopped during the last turn. */
  #handleEvents(): boolean {
    const events = this.#events;
    if (events.length === 0) return false;
    for (let event = events[0]; event !== undefined; event = events[0]) {
      if (event.kind === 'finished') this.#evaluator.processFinished(event.process, event.value);
      else this.#evaluator.unhandledError(event.process, event.context, event.description);
      events.shift();
    }
    return true;
  }

  /** Takes what the store has said. */
  #receiveCommits(): void {
    if (Atomics.load(this.#signals, SIGNAL.storeGone) !== 0) this.#checkpointer.storeGone();
    for (;;) {
      const received = receiveMessageOnPort(this.#data.storePort) as
        | { message: StoreToVm }
        | undefined;
      if (received === undefined) return;
      this.#checkpointer.receive(received.message);
    }
  }

  #waitForNews(ms: number): void {
    const seen = Atomics.load(this.#signals, SIGNAL.wake);
    const received = receiveMessageOnPort(this.#data.storePort) as
      | { message: StoreToVm }
      | undefined;
    if (received === undefined) Atomics.wait(this.#signals, SIGNAL.wake, seen, ms);
    else this.#checkpointer.receive(received.message);
    this.#receiveCommits();
  }

  /** Names of methods that have run for the first time, not yet sent. */
  #activated: string[] = [];

  #noteActivations(): void {
    this.#interpreter.methods.onFirstActivation = (code) => {
      const name = methodName(this.#memory, code);
      if (name !== null) this.#activated.push(name);
    };
  }

  #testHost(): Partial<InterpreterHost> {
    return {
      testEvent: (fields) => {
        this.#post({ kind: 'test', fields, activated: this.#activated });
        this.#activated = [];
      },
    };
  }

  #host(die: () => never): InterpreterHost {
    const wakeUp = (): void => {
      Atomics.or(this.#memory.H, CONTROL.interrupt, INTERRUPT.host);
    };
    return {
      nowMicroseconds: () => Math.floor(this.#clock() * 1000),
      consoleWrite: (text) => this.#write(text),
      processFinished: (process, value) => {
        this.#events.push({ kind: 'finished', process, value });
        wakeUp();
      },
      unhandledError: (process, context, description) => {
        this.#events.push({ kind: 'error', process, context, description });
        wakeUp();
      },
      commit: (request) => {
        if (!this.#requests.add(request)) return false;
        this.#commitWanted = true;
        wakeUp();
        return true;
      },
      undeclared: ({ name, message, line, column }) =>
        this.#post({ kind: 'undeclared', name: { name, message, line, column, inMethod: true } }),
      shutdown: (kind) => {
        this.#shutdownWanted = kind === 'poweroff' ? 'poweroff' : 'restart';
        wakeUp();
      },
      label: (generation, label) => this.#post({ kind: 'label', generation, label }),
      random: (bytes) => randomBytes(bytes),
      timeZoneOffsetSeconds: () => -60 * new Date().getTimezoneOffset(),
      generations: () => this.#generations,
      ...(this.#data.tests === 'none' ? { crash: () => die() } : this.#testHost()),
    };
  }

  /**
   * Sends output in small pieces, never far ahead of the terminal: a slow line holds back the
   * process that floods it, and Ctrl-C is seen between two pieces.
   */
  #write(text: string): void {
    for (let start = 0; start < text.length; start += OUTPUT_PIECE) {
      const piece = text.slice(start, start + OUTPUT_PIECE);
      for (;;) {
        const ahead = Atomics.load(this.#signals, SIGNAL.output);
        if (ahead < OUTPUT_AHEAD_MAX) break;
        Atomics.wait(this.#signals, SIGNAL.output, ahead);
      }
      Atomics.add(this.#signals, SIGNAL.output, piece.length);
      this.#post({ kind: 'output', text: piece });
    }
  }

  #post(message: FromVm): void {
    this.#port.postMessage(message);
  }
}

/** What a heap says that misses a page is of little use: the page is the reason. */
function explained(error: unknown): unknown {
  const control = new Int32Array(loadAddon().view(0, PAGE_BYTES));
  const unreadable = Atomics.load(control, CONTROL.unreadablePage);
  if (unreadable === 0) return error;
  return new Error(
    `page ${unreadable - 1} of the journal cannot be read; ` +
      '"verify" shows what is damaged, an earlier generation may have a good copy',
    { cause: error },
  );
}

assert(parentPort !== null, 'the vm runs in a worker');
try {
  new VmThread(workerData as VmWorkerData, parentPort).run();
} catch (error) {
  throw explained(error);
}
