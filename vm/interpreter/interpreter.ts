/**
 * The interpreter: the value stack, sends that miss their caches, and the base loop.
 *
 * Activations are JavaScript calls (interpret.ts) while they run, and heap Contexts when anything
 * else must look at them: a process switch, a scavenge, a checkpoint, a debugger, an access to a
 * Context. The stack then unwinds: each activation writes itself into a Context (frames.ts),
 * innermost first, and answers 0 to its caller, down to the base loop here. So the base loop sees a
 * heap that is complete, and resumes one Context at a time: what it calls runs as JavaScript again.
 *
 *     run ─ safepoint ─ resume(currentContext) ─ interpret ─ interpret ─ …
 *      ▲                                                             │ 0
 *      └──────────── pending: nothing · a send · a ^ · a halt ◀──────┘
 *
 * What made the stack unwind is in `pending`; its receiver and arguments still lie on the value
 * stack at `pendingBase`, above which nothing was written since.
 *
 * Invariants: no Smalltalk activation is on the JavaScript stack when the base loop runs; a Context
 * whose sender is a SmallInteger is that of a live activation; oops kept in fields here across a
 * safepoint are visited by the scavenger (extraRoots).
 */
import { debug } from '../base/debug.ts';
import { MemoryError } from '../memory/memory-error.ts';
import type { ObjectMemory, Oop, Visit } from '../memory/object-memory.ts';
import {
  CARD_BOTH,
  CONTROL,
  HEADER_WORDS,
  INTERRUPT,
  PAGE_SHIFT,
  SHAPE_FORWARDER,
  SHAPE_MASK,
} from '../objects/layout.ts';
import { CONTEXT, PROCESS, SHAPE, SPECIAL } from '../objects/well-known.ts';
import { type Code, KIND, type MethodCompiler } from './code.ts';
import { controlPrimitives } from './control-primitives.ts';
import * as frames from './frames.ts';
import { ENTRY, ENTRY_FAILED, interpret, UNWIND } from './interpret.ts';
import { invoke } from './invoke.ts';
import { MethodLookup } from './lookup.ts';
import {
  type InterpreterControl,
  type InterpreterHost,
  PRIM_ERROR,
  type PrimitiveContext,
  type PrimitiveTable,
} from './primitive-interface.ts';
import { Scheduler, SLICE_MICROSECONDS } from './scheduler.ts';
import { SendLookup } from './sends.ts';
import { Stepping } from './stepping.ts';
import { stackTrace } from './trace.ts';

/** Base of the outermost frame: its receiver is at 1, below it is nothing. */
export const BASE = 2;
/** Words beyond `stackLimit` for the arguments of perform:withArguments: and the like. */
const STACK_SLACK_WORDS = 128;
const STACK_WORDS = 256 * 1024;
const DEPTH_MAX = 400;
const POLL_TICKS = 2000;
const SPILLED_BYTES_MAX = 64 * 1024 * 1024;
const CONTEXT_BYTES_MIN = 40;

const PENDING = { none: 0, send: 1, nonLocal: 2, halt: 3, trap: 4 } as const;

/** How a run ended. `interrupts` holds the bits of INTERRUPT for the host that were set. */
export interface RunResult {
  readonly status: 'idle' | 'host';
  /** When the next timer is due, in milliseconds from now; null without one. */
  readonly nextTimerMs: number | null;
  readonly interrupts: number;
  /** Whether anything was executed. */
  readonly ran: boolean;
}

export interface InterpreterOptions {
  readonly memory: ObjectMemory;
  readonly primitives: PrimitiveTable;
  readonly host: InterpreterHost;
  /** Words of the value stack; tests make it small. */
  readonly stackWords?: number;
  /** Most activations at a time on the JavaScript stack; it must have about 1 KiB for each. */
  readonly depthMax?: number;
  /** Heap Contexts of one process, in bytes, before it gets the error StackOverflow. */
  readonly spilledBytesMax?: number;
}

export class Interpreter implements PrimitiveContext, InterpreterControl {
  readonly memory: ObjectMemory;
  readonly host: InterpreterHost;
  readonly interpreter: InterpreterControl = this;
  readonly scheduler: Scheduler;
  readonly methods: MethodLookup;
  readonly sends: SendLookup;
  readonly stepping = new Stepping();

  readonly H: Int32Array;
  readonly cards: Uint8Array;
  readonly stack: Int32Array;
  nil: Oop = 0;
  true: Oop = 0;
  false: Oop = 0;
  /** Class word of Arrays: what a temp vector must have. */
  arrayWord = 0;
  failCode = 0;
  /** What an activation after a failed primitive gets as its error code. */
  primitiveError: Oop = 0;

  readonly stackLimit: number;
  readonly depthMax: number;
  /** Polls left before the clock is looked at. */
  ticks = POLL_TICKS;
  unwinding: number = UNWIND.none;
  nonLocalBase = 0;
  nonLocalValue: Oop = 0;
  /** Base of the innermost live activation marked by primitive 198; 0 when there is none. */
  ensureBase = 0;
  /** Operands of a Float operation: see floatPair. */
  left = 0;
  right = 0;

  /** The Context the base loop resumes next; 0 when no process runs. */
  currentContext: Oop = 0;
  /** The Context to which the outermost live activation returns. */
  baseSender: Oop = 0;
  /** Innermost and outermost Context of the unwinding under way. */
  savedFirst: Oop = 0;
  savedLast: Oop = 0;
  /** Frames saved since the spilled Contexts of a process were last measured. */
  savedFrames = 0;
  /** A primitive runs with every activation in a heap Context. */
  unwound = false;
  /** A primitive's result is not to be pushed: `proceed` of the debugger will push a value. */
  resultWithheld = false;
  /** When the timer semaphore is to be signalled: UTC, microseconds. */
  timerDeadline = Number.POSITIVE_INFINITY;

  #pending: number = PENDING.none;
  #pendingTarget: Code;
  #pendingBase = 0;
  #pendingCount = 0;
  #pendingText = '';
  #sliceStart = 0;
  /** When the turn is to end: UTC, microseconds. */
  #turnEnd = Number.POSITIVE_INFINITY;
  #ran = false;
  #goesOn = false;
  /** Activations may be on the JavaScript stack. */
  #isRunning = false;
  /** The next safepoint measures how much the running process has spilled. */
  #measures = false;
  #spilledBytesMax: number;
  readonly #spilledBytesLimit: number;
  readonly #counters = { sends: 0, unwinds: 0, switches: 0, overflows: 0, polls: 0 };

  constructor(options: InterpreterOptions) {
    const { memory, primitives, host } = options;
    this.memory = memory;
    this.host = host;
    this.H = memory.H;
    this.cards = memory.cards;
    this.stack = new Int32Array((options.stackWords ?? STACK_WORDS) + STACK_SLACK_WORDS * 2);
    this.stackLimit = this.stack.length - STACK_SLACK_WORDS;
    this.depthMax = options.depthMax ?? DEPTH_MAX;
    this.#spilledBytesLimit = options.spilledBytesMax ?? SPILLED_BYTES_MAX;
    this.#spilledBytesMax = this.#spilledBytesLimit;
    this.sends = new SendLookup(this);
    this.#pendingTarget = this.sends.failed;
    this.scheduler = new Scheduler(memory);
    this.methods = new MethodLookup(memory, controlPrimitives(this), primitives);
    memory.extraRoots.push((visit) => this.#visitRoots(visit));
    memory.onBecome.push(() => this.flushCaches());
    this.attach();
  }

  /** The JIT, if the composition root has given one. */
  get compiler(): MethodCompiler | null {
    return this.methods.compiler;
  }

  set compiler(compiler: MethodCompiler | null) {
    this.methods.compiler = compiler;
  }

  /** Starts on the heap as it is: after a bootstrap, or resumed from a generation. */
  attach(): void {
    const { memory } = this;
    this.nil = memory.nil;
    this.true = memory.true;
    this.false = memory.false;
    this.arrayWord = memory.classWord(SHAPE.Array);
    this.currentContext = 0;
    this.methods.forgetAll();
    if (!this.scheduler.attach()) {
      throw new TypeError(
        'Cannot start the interpreter: the image has no usable ProcessorScheduler; ' +
          'go back to an earlier generation',
      );
    }
    const deadline = memory.special(SPECIAL.timerDeadline);
    this.timerDeadline = isIntegerOop(memory, deadline)
      ? Number(memory.integerValue(deadline))
      : Number.POSITIVE_INFINITY;
  }

  // --- the base loop -----------------------------------------------------------------------------

  /**
   * Runs processes until none is ready ('idle'), the host asked for something, or the turn is over
   * ('host'). All activations are in heap Contexts then. Never throws for what Smalltalk code does.
   */
  run(turnMicroseconds = Number.POSITIVE_INFINITY): RunResult {
    this.#loadActive();
    const now = this.host.nowMicroseconds();
    // A process that was running when the last turn ended goes on in its time slice.
    if (!this.#goesOn) this.#sliceStart = now;
    this.#turnEnd = now + turnMicroseconds;
    this.#ran = false;
    this.ticks = 0;
    for (;;) {
      const result = this.#safepoint();
      if (result !== null) return result;
      this.#ran = true;
      this.#isRunning = true;
      this.#settle(frames.resume(this, this.currentContext));
      this.#isRunning = false;
      if (this.stepping.isActive) this.#checkStep();
    }
  }

  /** Takes care of a value returned to the base, or of what made the stack unwind. */
  #settle(firstValue: Oop): void {
    let value = firstValue;
    for (;;) {
      if (value !== 0) {
        value = this.#deliver(this.baseSender, value);
        if (value === -1) return;
        continue;
      }
      this.#finishUnwinding();
      const pending = this.#pending;
      this.#pending = PENDING.none;
      if (pending === PENDING.none) return;
      if (pending === PENDING.trap) return;
      if (pending === PENDING.halt) return this.#halted(this.#pendingText);
      if (pending === PENDING.nonLocal) value = this.#heapReturn(this.nonLocalValue);
      else value = this.#runPending();
      if (value === -1) return;
    }
  }

  /** Links the saved frames to the base's sender: the stack is then the chain of currentContext. */
  #finishUnwinding(): void {
    this.unwinding = UNWIND.none;
    this.ensureBase = 0;
    this.#counters.unwinds++;
    if (this.savedFrames * CONTEXT_BYTES_MIN > this.#spilledBytesMax / 8) this.#measures = true;
    if (this.savedFirst !== 0) {
      this.memory.store(this.savedLast, CONTEXT.sender, this.baseSender);
      this.currentContext = this.savedFirst;
      this.savedFirst = 0;
      this.savedLast = 0;
    } else {
      this.currentContext = this.baseSender;
    }
  }

  /** Runs the pending send as the outermost activation, its sender the current Context. */
  #runPending(): Oop {
    const { stack } = this;
    const target = this.#pendingTarget;
    const count = this.#pendingCount;
    stack.copyWithin(BASE - 1, this.#pendingBase - 1, this.#pendingBase + count);
    this.baseSender = this.currentContext;
    return this.enter(target, BASE, count, -1);
  }

  /**
   * Hands a value to the Context it returns to. Answers -1 when the base loop can go on, or another
   * value (0 while unwinding) when a send had to be made.
   */
  #deliver(context: Oop, value: Oop): Oop {
    const { memory } = this;
    if (this.resultWithheld) {
      this.resultWithheld = false;
      this.currentContext = context;
      return -1;
    }
    const target = memory.follow(context);
    if (target === memory.nil || memory.shapeOf(target) !== SHAPE.Context) {
      this.#finish(value);
      return -1;
    }
    this.currentContext = target;
    if (memory.fetch(target, CONTEXT.pc) === memory.nil) {
      return this.#sendFromBase(target, SPECIAL.selectorCannotReturn, [value], target);
    }
    if (frames.push(this, target, value)) return -1;
    this.#halted('a Context has no room for the value returned to it');
    return -1;
  }

  /** The running process has ended with `value`. */
  #finish(value: Oop): void {
    const process = this.scheduler.active;
    this.currentContext = 0;
    this.memory.store(process, PROCESS.suspendedContext, this.nil);
    this.scheduler.setActive(this.nil);
    this.scheduler.mustSwitch = true;
    this.host.processFinished(process, value);
  }

  /** ^ in a block whose home is in the heap or beyond an ensure; the current Context is its. */
  #heapReturn(value: Oop): Oop {
    const { memory } = this;
    const block = this.currentContext;
    const home = frames.homeOf(this, block);
    let unwindContext = 0;
    let current = memory.follow(memory.fetch(block, CONTEXT.sender));
    for (let steps = 0; current !== home; steps++) {
      if (steps > frames.CHAIN_MAX || memory.shapeOf(current) !== SHAPE.Context) {
        return this.#sendFromBase(block, SPECIAL.selectorCannotReturn, [value], block);
      }
      if (unwindContext === 0 && frames.isEnsure(this, current)) unwindContext = current;
      current = memory.follow(memory.fetch(current, CONTEXT.sender));
    }
    if (unwindContext !== 0) {
      return this.#sendFromBase(
        block,
        SPECIAL.selectorAboutToReturn,
        [value, unwindContext],
        block,
      );
    }
    const sender = memory.fetch(home, CONTEXT.sender);
    current = block;
    for (;;) {
      const next = memory.follow(memory.fetch(current, CONTEXT.sender));
      this.killContext(current);
      if (current === home) break;
      current = next;
    }
    return this.#deliver(sender, value);
  }

  /** Sends a special selector to `receiver` as if the Context `sender` had. */
  #sendFromBase(receiver: Oop, selector: number, args: readonly Oop[], sender: Oop): Oop {
    return this.#sendSymbol(receiver, this.memory.special(selector), args, sender);
  }

  #sendSymbol(receiver: Oop, selector: Oop, args: readonly Oop[], sender: Oop): Oop {
    const { stack } = this;
    stack[BASE - 1] = receiver;
    for (const [index, oop] of args.entries()) stack[BASE + index] = oop;
    this.currentContext = sender;
    this.baseSender = sender;
    const target = this.sends.find(selector, BASE, args.length);
    if (target.kind === KIND.liveContext)
      return this.enter(this.sends.liveTarget, BASE, this.sends.count, -1);
    return this.enter(target, this.sends.base, this.sends.count, -1);
  }

  /** Suspends the running process, which expects a value, and tells the host why. */
  #halted(description: string): void {
    this.#stopActive(this.currentContext, description);
    this.currentContext = 0;
  }

  /** As above, from a primitive: its value is withheld, the debugger will push one. */
  stopForHost(context: Oop, description: string): void {
    this.resultWithheld = true;
    this.#stopActive(context, description);
  }

  #stopActive(context: Oop, description: string): void {
    const { scheduler } = this;
    const process = scheduler.active;
    this.suspendActive();
    scheduler.setActive(this.nil);
    scheduler.mustSwitch = true;
    this.host.unhandledError(process, context, description);
  }

  /** The running process's Context goes into the Process. */
  suspendActive(): void {
    const { active } = this.scheduler;
    if (active === this.nil || this.currentContext === 0) return;
    this.memory.store(active, PROCESS.suspendedContext, this.currentContext);
  }

  /** All that may only be done with the stack unwound. Answers how `run` ends, or null to go on. */
  #safepoint(): RunResult | null {
    const { memory, scheduler, H } = this;
    this.baseSender = 0;
    if (H[CONTROL.interrupt] !== 0 || debug.gcStress) {
      const result = this.#handleInterrupts();
      if (result !== null) return result;
    }
    const now = this.host.nowMicroseconds();
    if (now >= this.timerDeadline) this.#timerExpired();
    if (this.currentContext !== 0 && now - this.#sliceStart >= SLICE_MICROSECONDS) {
      this.#sliceStart = now;
      if (scheduler.hasEqual() && !scheduler.mustSwitch) scheduler.yield();
    }
    if (this.#measures && this.currentContext !== 0) this.#measureSpilled();
    if (!scheduler.mustSwitch && this.currentContext !== 0) return null;
    scheduler.mustSwitch = false;
    this.suspendActive();
    this.#counters.switches++;
    this.#sliceStart = now;
    const process = scheduler.next();
    scheduler.setActive(process);
    this.currentContext = 0;
    if (process === memory.nil) return this.#ended('idle', 0);
    this.#loadActive();
    return null;
  }

  #handleInterrupts(): RunResult | null {
    const { memory, H } = this;
    if (memory.needsScavenge()) {
      Atomics.and(H, CONTROL.interrupt, ~INTERRUPT.scavenge);
      memory.scavenge();
      if (this.currentContext !== 0 && memory.takeLowSpace()) this.#sendToTop('outOfMemory');
    }
    const bits = Atomics.load(H, CONTROL.interrupt);
    if ((bits & INTERRUPT.timer) !== 0) Atomics.and(H, CONTROL.interrupt, ~INTERRUPT.timer);
    if ((bits & INTERRUPT.userInterrupt) !== 0) {
      Atomics.and(H, CONTROL.interrupt, ~INTERRUPT.userInterrupt);
      this.#userInterrupt();
    }
    if ((bits & INTERRUPT.unreadable) !== 0) {
      Atomics.and(H, CONTROL.interrupt, ~INTERRUPT.unreadable);
      const page = H[CONTROL.unreadablePage]! - 1;
      if (this.currentContext !== 0) this.#sendToTop('unreadablePage:', [(page << 1) | 1]);
    }
    const forHost = bits & (INTERRUPT.host | INTERRUPT.checkpoint | INTERRUPT.evict);
    if (forHost === 0) return null;
    Atomics.and(H, CONTROL.interrupt, ~forHost);
    this.suspendActive();
    return this.#ended('host', forHost);
  }

  #ended(status: 'idle' | 'host', interrupts: number): RunResult {
    const wait = this.timerDeadline - this.host.nowMicroseconds();
    const nextTimerMs = Number.isFinite(wait) ? Math.max(0, Math.ceil(wait / 1000)) : null;
    this.#goesOn = this.scheduler.active !== this.nil;
    return { status, nextTimerMs, interrupts, ran: this.#ran };
  }

  /**
   * A process whose Contexts take more than the limit is sent stackOverflow; it gets an eighth more
   * room for handling that, and the limit back when its stack is small again. One that needs twice
   * the limit is stopped without asking it.
   */
  #measureSpilled(): void {
    this.#measures = false;
    this.savedFrames = 0;
    const bytes = frames.chainBytes(this, this.currentContext, this.#spilledBytesMax);
    if (bytes <= this.#spilledBytesLimit) this.#spilledBytesMax = this.#spilledBytesLimit;
    if (bytes <= this.#spilledBytesMax) return;
    this.#spilledBytesMax += this.#spilledBytesLimit / 8;
    if (this.#spilledBytesMax > this.#spilledBytesLimit * 2) {
      this.#stopActive(this.currentContext, 'StackOverflow: even what handles it recurses');
      return;
    }
    this.#sendToTop('stackOverflow');
  }

  /** Tells the Context that would run next; what is sent runs in its process, before it. */
  #sendToTop(text: string, args: Oop[] = []): void {
    const selector = this.memory.internSymbol(text);
    this.#isRunning = true;
    this.#settle(this.#sendSymbol(this.currentContext, selector, args, this.currentContext));
    this.#isRunning = false;
  }

  /** Ctrl-C stops the console's evaluation, running or waiting; without one, what runs. */
  #userInterrupt(): void {
    const { memory, scheduler } = this;
    this.suspendActive();
    const console = memory.follow(memory.special(SPECIAL.consoleProcess));
    const isAlive =
      scheduler.isProcess(console) &&
      (console === scheduler.active ||
        memory.shapeOf(memory.fetch(console, PROCESS.suspendedContext)) === SHAPE.Context);
    const process = isAlive ? console : scheduler.active;
    if (process === memory.nil) return;
    if (process === scheduler.active) {
      scheduler.setActive(memory.nil);
      scheduler.mustSwitch = true;
      this.currentContext = 0;
    } else {
      scheduler.remove(process);
    }
    const context = memory.fetch(process, PROCESS.suspendedContext);
    this.host.unhandledError(process, context, 'Interrupted');
  }

  /** The Context of the running process becomes current; its slot is nil while it runs. */
  #loadActive(): void {
    const { memory, scheduler } = this;
    const process = scheduler.active;
    this.currentContext = 0;
    if (process === memory.nil) return;
    const context = memory.follow(memory.fetch(process, PROCESS.suspendedContext));
    if (memory.shapeOf(context) !== SHAPE.Context) {
      scheduler.setActive(memory.nil);
      return;
    }
    memory.store(process, PROCESS.suspendedContext, memory.nil);
    this.currentContext = context;
  }

  #timerExpired(): void {
    const { memory, scheduler } = this;
    this.setTimer(memory.nil, Number.POSITIVE_INFINITY, true);
    const semaphore = memory.follow(memory.special(SPECIAL.timerSemaphore));
    if (scheduler.isSemaphore(semaphore)) scheduler.signal(semaphore);
  }

  /** The timer semaphore is signalled at `microseconds`, which is kept in the image as well. */
  setTimer(semaphore: Oop, microseconds: number, keepSemaphore = false): void {
    const { memory } = this;
    if (!keepSemaphore) memory.setSpecial(SPECIAL.timerSemaphore, semaphore);
    const isSet = Number.isFinite(microseconds);
    const deadline = isSet ? memory.newInteger(BigInt(Math.floor(microseconds))) : memory.nil;
    memory.setSpecial(SPECIAL.timerDeadline, deadline);
    this.timerDeadline = microseconds;
  }

  #visitRoots(visit: Visit): void {
    if (this.currentContext !== 0) this.currentContext = visit(this.currentContext);
    if (this.baseSender !== 0) this.baseSender = visit(this.baseSender);
    this.stepping.visitRoots(visit);
    if (!this.unwound) return;
    const end = BASE + this.#pendingCount;
    for (let at = BASE - 1; at < end; at++) this.stack[at] = visit(this.stack[at]!);
  }

  // --- what activations call ---------------------------------------------------------------------

  /** At an entry or backward jump, now and then: whether the stack is to unwind. */
  poll(): boolean {
    this.H[CONTROL.heartbeat] = (this.H[CONTROL.heartbeat]! + 1) | 0;
    this.#counters.polls++;
    this.ticks = debug.unwindAtEveryPoll || debug.gcStress ? 0 : POLL_TICKS;
    let stops = this.ticks === 0 || this.H[CONTROL.interrupt] !== 0;
    if (!stops) {
      const now = this.host.nowMicroseconds();
      if (now >= this.#turnEnd) this.interrupt(INTERRUPT.checkpoint);
      const due = Math.min(this.timerDeadline, this.#turnEnd);
      stops = now >= due || now - this.#sliceStart >= SLICE_MICROSECONDS;
      if (stops && now < due && !this.scheduler.hasEqual()) {
        this.#sliceStart = now;
        stops = false;
      }
    }
    if (stops) this.unwinding = UNWIND.save;
    return stops;
  }

  /** As the memory's; the space that unwinding needs was kept free, so 0 is no answer here. */
  instantiate(shape: number, slots: number): Oop {
    const oop = this.memory.instantiate(shape, slots);
    if (oop === 0) throw new MemoryError('HEAP_FULL', 'Cannot go on: the heap is full');
    return oop;
  }

  /** The value stack or the JavaScript stack is used up: the stack spills into Contexts. */
  overflow(): void {
    this.unwinding = UNWIND.save;
    this.#counters.overflows++;
  }

  /** The activation of this Context is over. */
  killContext(context: Oop): void {
    const { H, nil } = this;
    H[context + HEADER_WORDS + CONTEXT.sender] = nil;
    H[context + HEADER_WORDS + CONTEXT.pc] = nil;
    this.cards[(context + HEADER_WORDS) >> PAGE_SHIFT] = CARD_BOTH;
  }

  /**
   * ^ in a block. Answers true when the home's activation lives and no ensure: lies between: the
   * stack unwinds up to it and nothing is saved. Else the base loop does it, on heap Contexts.
   */
  nonLocalReturn(closure: Oop, value: Oop): boolean {
    this.nonLocalValue = value;
    const home = frames.homeOfClosure(this, closure);
    const sender = home === this.nil ? 0 : this.memory.fetch(home, CONTEXT.sender);
    if ((sender & 1) === 1 && this.ensureBase <= sender >> 1) {
      this.nonLocalBase = sender >> 1;
      this.unwinding = UNWIND.nonLocal;
      return true;
    }
    this.unwinding = UNWIND.save;
    this.#pending = PENDING.nonLocal;
    return false;
  }

  /** `==` after a false comparison of oops: forwarders are followed, Floats compared by bits. */
  identical(a: Oop, b: Oop): boolean {
    if (((a | b) & 1) !== 0) return false;
    const { H, memory } = this;
    const shapeA = H[a]! & SHAPE_MASK;
    const shapeB = H[b]! & SHAPE_MASK;
    if (shapeA === SHAPE_FORWARDER || shapeB === SHAPE_FORWARDER) {
      const followedA = memory.follow(a);
      const followedB = memory.follow(b);
      return followedA === followedB || this.identical(followedA, followedB);
    }
    if (shapeA !== SHAPE.BoxedFloat64 || shapeB !== SHAPE.BoxedFloat64) return false;
    return H[a + 2] === H[b + 2] && H[a + 3] === H[b + 3];
  }

  /** Whether both are numbers and one a Float: their values are then in `left` and `right`. */
  floatPair(a: Oop, b: Oop): boolean {
    const { H, memory } = this;
    if ((a & 1) !== 0) this.left = a >> 1;
    else if ((H[a]! & SHAPE_MASK) === FLOAT_SHAPE) this.left = memory.F[(a >> 1) + 1]!;
    else return false;
    if ((b & 1) !== 0) this.right = b >> 1;
    else if ((H[b]! & SHAPE_MASK) === FLOAT_SHAPE) this.right = memory.F[(b >> 1) + 1]!;
    else return false;
    return true;
  }

  /**
   * What stands for a temp vector that is no Array: an Array behind a forwarder, or 0 and a halt.
   */
  tempVector(oop: Oop): Oop {
    const vector = this.memory.follow(oop);
    if (this.memory.shapeOf(vector) === SHAPE.Array) return vector;
    this.halt('cannot go on: a temp vector has become something else');
    return 0;
  }

  floatAdd(a: Oop, b: Oop): Oop {
    return this.floatPair(a, b) ? this.memory.newFloat(this.left + this.right) : 0;
  }

  floatSubtract(a: Oop, b: Oop): Oop {
    return this.floatPair(a, b) ? this.memory.newFloat(this.left - this.right) : 0;
  }

  newFloat(value: number): Oop {
    return this.memory.newFloat(value);
  }

  /** The running process stops here for the host, expecting a value: nothing in it can go on. */
  halt(description: string): void {
    this.unwinding = UNWIND.save;
    this.#pending = PENDING.halt;
    this.#pendingText = description;
  }

  /** Makes the stack unwind and the base loop do this send then. Always answers 0. */
  pend(target: Code, base: number, count: number): 0 {
    this.unwinding = UNWIND.save;
    this.#pending = PENDING.send;
    this.#pendingTarget = target;
    this.#pendingBase = base;
    this.#pendingCount = count;
    return 0;
  }

  /** Pends the send that found its receiver to be a live Context. */
  pendLive(base: number, count: number): 0 {
    return this.pend(this.sends.liveTarget, base, count);
  }

  /** Runs `target`, receiver and arguments being on the stack; `depth` is the caller's. */
  enter(target: Code, base: number, count: number, depth: number): Oop {
    if (target.kind === KIND.plain) return interpret(this, target, base, depth + 1, ENTRY, 0, 0);
    return invoke(this, target, base, count, depth);
  }

  invoke(target: Code, base: number, count: number, depth: number): Oop {
    return invoke(this, target, base, count, depth);
  }

  /** A primitive answered 0: unwind for it, retry it, or run the method's own code. */
  primitiveFailed(target: Code, base: number, count: number, depth: number): Oop {
    const { memory, stack } = this;
    if (this.failCode === PRIM_ERROR.needsUnwind) return this.pend(target, base, count);
    let followed = false;
    for (let at = base - 1; at < base + count; at++) {
      const oop = stack[at]!;
      if (!memory.isForwarder(oop)) continue;
      stack[at] = memory.follow(oop);
      followed = true;
    }
    if (followed) {
      const value = target.run(this, stack[base - 1]!, base, count);
      if (value !== 0) return value;
      if (this.failCode === PRIM_ERROR.needsUnwind) return this.pend(target, base, count);
    }
    return this.activateFailed(target, base, depth);
  }

  /** The code after a failed primitive; its error code goes into the temporary that asks for it. */
  activateFailed(target: Code, base: number, depth: number): Oop {
    if (target.bytes[target.startPc] !== STORE_TEMP) {
      return interpret(this, target, base, depth + 1, ENTRY, 0, 0);
    }
    const { memory } = this;
    const table = memory.special(SPECIAL.primitiveErrorTable);
    const hasName =
      memory.shapeOf(table) === SHAPE.Array &&
      this.failCode > 0 &&
      this.failCode <= memory.slotCount(table);
    this.primitiveError = hasName
      ? memory.fetch(table, this.failCode - 1)
      : (this.failCode << 1) | 1;
    return interpret(this, target, base, depth + 1, ENTRY_FAILED, 0, 0);
  }

  /** Makes a Process on `method`, ready to run. */
  spawn(
    method: Oop,
    receiver: Oop,
    args: readonly Oop[],
    options: { readonly priority: number; readonly name: string },
  ): Oop {
    const process = frames.newProcess(
      this,
      frames.newContext(this, method, receiver, args),
      options,
    );
    this.scheduler.resume(process);
    return process;
  }

  // --- stepping ----------------------------------------------------------------------------------

  /** A byte that is no bytecode was met: a trap of the step under way, or a damaged method. */
  trapped(code: Code, pc: number): void {
    if (code === this.stepping.code) {
      this.unwinding = UNWIND.save;
      this.#pending = PENDING.trap;
      this.stepping.isTrapped = true;
    } else {
      this.halt(`cannot run byte ${code.bytes[pc]} at ${pc}`);
    }
  }

  /** The step is over when a trap was met or the Context is no more: its process stops. */
  #checkStep(): void {
    const { scheduler, memory } = this;
    const hasEnded = memory.fetch(this.stepping.context, CONTEXT.pc) === memory.nil;
    if (!this.stepping.isTrapped && !hasEnded) return;
    if (scheduler.active === this.stepping.process) {
      this.suspendActive();
      scheduler.setActive(this.nil);
      scheduler.mustSwitch = true;
      this.currentContext = 0;
    }
    this.stepping.end();
    this.interrupt(INTERRUPT.host);
  }

  // --- InterpreterControl ------------------------------------------------------------------------

  get activeProcess(): Oop {
    return this.scheduler.active;
  }

  flushCaches(): void {
    if (this.unwound || !this.#isRunning) this.methods.forgetAll();
    else this.methods.forgetTargets();
  }

  lookup(classOop: Oop, selector: Oop): Oop {
    const method = this.methods.method(classOop, selector);
    return method === 1 ? 0 : method;
  }

  stackTrace(processOrContext: Oop): string {
    return stackTrace(this.memory, processOrContext);
  }

  interrupt(bits: number): void {
    Atomics.or(this.H, CONTROL.interrupt, bits);
  }

  statistic(name: string): number | undefined {
    if (name === 'methods') return this.methods.codeCount;
    return (this.#counters as Readonly<Record<string, number>>)[name];
  }
}

const FLOAT_SHAPE = SHAPE.BoxedFloat64;
const STORE_TEMP = 0xf5;

function isIntegerOop(memory: ObjectMemory, oop: Oop): boolean {
  return (oop & 1) === 1 || memory.shapeOf(oop) === SHAPE.LargePositiveInteger;
}
