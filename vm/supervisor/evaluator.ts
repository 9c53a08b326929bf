/**
 * The console's evaluations, on the vm's side: source in, printString out. It lives outside the
 * image and uses the image only through the interpreter, so it works as far as the image still
 * does: when even `printString` fails, a description made here is answered.
 *
 * An evaluation is a Process. The evaluations a person is waiting for form a stack: one typed at
 * the debugger's prompt lies over the one that stopped there.
 */
import { assert } from '../base/assert.ts';
import { compileDoIt } from '../compiler/compiler.ts';
import { CompileError } from '../compiler/error.ts';
import type { Debugger, Frame } from '../interpreter/debugger.ts';
import type { Interpreter } from '../interpreter/interpreter.ts';
import type { ObjectMemory, Oop } from '../memory/object-memory.ts';
import { installMethod } from '../objects/installer.ts';
import { bindingOf, findBinding, imageScope } from '../objects/scope.ts';
import { ASSOCIATION, CLASS, METACLASS, PROCESS, SHAPE } from '../objects/well-known.ts';
import type { DebugCommand, FromVm } from './messages.ts';

/** Where results go, and how they become durable. */
export interface EvaluatorHost {
  post(message: FromVm): void;
  /** Starts a checkpoint; answers its ticket, 0 when there was nothing to write. */
  checkpoint(): number;
}

interface Evaluation {
  /** The supervisor's number of the question that is open now. */
  id: number;
  process: Oop;
  /**
   * 'value', 'batch': the source runs; 'print': its value prints itself; the others serve the
   * debugger.
   */
  phase: 'value' | 'batch' | 'print' | 'resume' | 'return';
  /** For 'resume' and 'return': the evaluation whose process waits for the value. */
  readonly target: Evaluation | null;
  readonly frame: number;
  value: Oop;
  /** Where it stopped: the activation that met the error, below the machinery that signalled it. */
  stoppedIn: Oop;
}

/** userSchedulingPriority: what a person forks shares the processor with the console. */
const PRIORITY = 40;
const FRAMES_MAX = 50;

export class Evaluator {
  readonly #memory: ObjectMemory;
  readonly #interpreter: Interpreter;
  readonly #debugger: Debugger;
  readonly #host: EvaluatorHost;
  readonly #evaluations: Evaluation[] = [];
  #printMethod: Oop = 0;

  constructor(options: {
    memory: ObjectMemory;
    interpreter: Interpreter;
    debugger: Debugger;
    host: EvaluatorHost;
  }) {
    this.#memory = options.memory;
    this.#interpreter = options.interpreter;
    this.#debugger = options.debugger;
    this.#host = options.host;
    this.#memory.extraRoots.push((visit) => {
      for (const evaluation of this.#evaluations) {
        evaluation.process = visit(evaluation.process);
        evaluation.value = visit(evaluation.value);
        evaluation.stoppedIn = visit(evaluation.stoppedIn);
      }
    });
  }

  /**
   * Tells the image that the machine has started, in a process of its own; not even that when
   * nobody there has asked to hear of it, so that a start by itself changes nothing.
   */
  startSession(): void {
    const memory = this.#memory;
    const binding = findBinding(memory, memory.nil, 'SessionManager');
    if (binding === 0) return;
    const manager = memory.follow(memory.fetch(binding, ASSOCIATION.value));
    const list = memory.isPointers(manager) ? findBinding(memory, manager, 'StartList') : 0;
    if (list === 0 || memory.fetch(list, ASSOCIATION.value) === memory.nil) return;
    this.#spawn(this.#compile('SessionManager machineStarted'), memory.nil);
  }

  /** Compiles and starts an expression; its outcome goes to the host as a message with `id`. */
  evaluate({ id, source, batch }: { id: number; source: string; batch: boolean }): void {
    this.#start({ id, source, phase: batch ? 'batch' : 'value', target: null, frame: 0 });
  }

  /** To be called when a process of the image has ended. */
  processFinished(process: Oop, value: Oop): void {
    const evaluation = this.#evaluations.find((each) => each.process === process);
    if (evaluation === undefined) return;
    switch (evaluation.phase) {
      case 'value':
        this.#print(evaluation, value);
        return;
      case 'batch':
        this.#remove(evaluation);
        this.#host.post({ kind: 'value', id: evaluation.id, text: '', ticket: 0 });
        return;
      case 'print':
        this.#answer(evaluation, isString(this.#memory, value) ? value : 0);
        return;
      case 'resume':
      case 'return':
        this.#remove(evaluation);
        this.#goOn(evaluation, value);
    }
  }

  /** To be called when a process has met an error nobody handles; it is suspended. */
  unhandledError(process: Oop, context: Oop, description: string): void {
    const evaluation = this.#evaluations.find((each) => each.process === process);
    if (evaluation?.phase === 'print') {
      this.#answer(evaluation, 0);
      return;
    }
    const stoppedIn = context === 0 ? this.#memory.nil : context;
    if (evaluation !== undefined) evaluation.stoppedIn = stoppedIn;
    const frames = this.#framesFrom(process, stoppedIn);
    this.#host.post({
      kind: 'error',
      id: evaluation?.id ?? null,
      process: this.#processName(process),
      description,
      frames: frames.slice(0, FRAMES_MAX).map(({ description: text, line }) => ({
        description: text,
        line,
      })),
      ticket: this.#host.checkpoint(),
    });
  }

  /**
   * Ctrl-C: stops the evaluation the person waits for; or the running process when there is none,
   * or when that one keeps the evaluation from running by its priority.
   */
  interrupt(running: Oop): void {
    const waited = this.#evaluations.at(-1)?.process;
    const process =
      waited === undefined || this.#priority(running) > this.#priority(waited) ? running : waited;
    if (process === this.#memory.nil || process === 0) return;
    this.#debugger.suspend(process);
    this.unhandledError(process, this.#debugger.topContext(process), 'UserInterrupt');
  }

  /** Carries out a command of the debugger's prompt on the evaluation that stopped last. */
  debug(id: number, command: DebugCommand): void {
    const evaluation = this.#evaluations.at(-1);
    if (evaluation === undefined) {
      this.#host.post({ kind: 'report', id, lines: ['Nothing is stopped in the debugger.'] });
      return;
    }
    evaluation.id = id;
    switch (command.name) {
      case 'abandon':
        this.#abandon(evaluation);
        return;
      case 'stack':
        return this.#report(evaluation, this.#stackLines(evaluation));
      case 'inspect':
        return this.#report(evaluation, this.#inspect(evaluation, command.frame));
      case 'step':
        this.#debugger.step(evaluation.process);
        evaluation.stoppedIn = this.#memory.nil;
        return this.#report(evaluation, this.#stackLines(evaluation).slice(0, 3));
      case 'restart': {
        const context = this.#contextAt(evaluation, command.frame);
        if (context === 0) return;
        this.#debugger.restart(evaluation.process, context);
        return;
      }
      case 'resume':
      case 'return':
        this.#valueThen(evaluation, command);
    }
  }

  #valueThen(target: Evaluation, command: DebugCommand & { name: 'resume' | 'return' }): void {
    const frame = command.name === 'return' ? command.frame : 1;
    if (command.name === 'return' && this.#contextAt(target, frame) === 0) return;
    if (command.source === null) {
      this.#goOn({ ...target, phase: command.name, target, frame }, this.#memory.nil);
      return;
    }
    this.#start({ id: target.id, source: command.source, phase: command.name, target, frame });
  }

  #goOn(request: Evaluation, value: Oop): void {
    const { target, frame } = request;
    assert(target !== null, 'a value for no process');
    if (request.phase === 'resume') {
      this.#debugger.proceed(target.process, value);
      return;
    }
    const context = this.#contextAt(target, frame);
    if (context !== 0) this.#debugger.returnFrom(target.process, context, value);
  }

  #start(request: {
    id: number;
    source: string;
    phase: Evaluation['phase'];
    target: Evaluation | null;
    frame: number;
  }): void {
    const { id, source, phase, target, frame } = request;
    let method: Oop;
    try {
      method = this.#compile(source);
    } catch (error) {
      if (!(error instanceof CompileError)) throw error;
      const { message, line, column } = error;
      this.#host.post({ kind: 'compileError', id, message, line, column });
      return;
    }
    const process = this.#spawn(method, this.#memory.nil);
    const { nil } = this.#memory;
    this.#evaluations.push({ id, process, phase, target, frame, value: nil, stoppedIn: nil });
  }

  #compile(source: string): Oop {
    const classOop = this.#memory.classOf(this.#memory.nil);
    const spec = compileDoIt(source, imageScope(this.#memory, classOop), {
      onWarning: ({ kind, name, message, line, column }) => {
        if (kind !== 'undeclared') return;
        const undeclared = { name, message, line, column, inMethod: false };
        this.#host.post({ kind: 'undeclared', name: undeclared });
      },
    });
    return installMethod(this.#memory, spec, {
      classOop,
      selector: spec.selector,
      source,
      protocol: null,
      bindingOf: (name) => bindingOf(this.#memory, classOop, name),
    });
  }

  #spawn(method: Oop, receiver: Oop): Oop {
    return this.#interpreter.spawn(method, receiver, [], { priority: PRIORITY, name: 'console' });
  }

  #print(evaluation: Evaluation, value: Oop): void {
    evaluation.value = value;
    evaluation.phase = 'print';
    if (this.#printMethod === 0) this.#printMethod = this.#compile('self printString');
    evaluation.process = this.#spawn(this.#printMethod, value);
  }

  /** The value has printed itself (or, with 0, could not). */
  #answer(evaluation: Evaluation, text: Oop): void {
    const { id, value } = evaluation;
    this.#remove(evaluation);
    this.#host.post({
      kind: 'value',
      id,
      text: text === 0 ? this.#describe(value) : this.#memory.stringValue(text),
      ticket: this.#host.checkpoint(),
    });
  }

  /** Gives up an evaluation, and with it the one that waits for its value. */
  #abandon(evaluation: Evaluation): void {
    for (let each: Evaluation | null = evaluation; each !== null; each = each.target) {
      this.#remove(each);
      this.#debugger.terminate(each.process);
    }
    this.#host.post({ kind: 'report', id: evaluation.id, lines: [] });
  }

  #remove(evaluation: Evaluation): void {
    const index = this.#evaluations.indexOf(evaluation);
    if (index >= 0) this.#evaluations.splice(index, 1);
  }

  #report(evaluation: Evaluation, lines: readonly string[]): void {
    this.#host.post({ kind: 'report', id: evaluation.id, lines });
  }

  #contextAt(evaluation: Evaluation, frame: number): Oop {
    const frames = this.#framesFrom(evaluation.process, evaluation.stoppedIn);
    const found = frames[frame - 1];
    if (found !== undefined) return found.context;
    this.#report(evaluation, [
      `Cannot find frame ${frame}: the stack has ${frames.length}, wanted 1 to ${frames.length}`,
    ]);
    return 0;
  }

  /** The activations from `stoppedIn` down; all of them when it is not in the stack. */
  #framesFrom(process: Oop, stoppedIn: Oop): Frame[] {
    const frames = this.#debugger.frames(process);
    const start = frames.findIndex((frame) => frame.context === stoppedIn);
    return frames.slice(Math.max(start, 0));
  }

  #stackLines(evaluation: Evaluation): string[] {
    return this.#framesFrom(evaluation.process, evaluation.stoppedIn)
      .slice(0, FRAMES_MAX)
      .map(({ description, line }, index) => {
        const place = line === null ? '' : ` (line ${line})`;
        return `${String(index + 1).padStart(3)} ${description}${place}`;
      });
  }

  #inspect(evaluation: Evaluation, frame: number): string[] {
    const context = this.#contextAt(evaluation, frame);
    if (context === 0) return [];
    return this.#debugger
      .variables(context)
      .map(({ name, value }) => `${name}: ${this.#describe(value)}`);
  }

  #priority(process: Oop): number {
    if (process === 0 || process === this.#memory.nil) return 0;
    return this.#memory.fetch(process, PROCESS.priority) >> 1;
  }

  #processName(process: Oop): string {
    const name = this.#memory.fetch(process, PROCESS.name);
    return isString(this.#memory, name) ? this.#memory.stringValue(name) : 'without a name';
  }

  /** What can be said of an object without sending it anything. */
  #describe(oop: Oop): string {
    const memory = this.#memory;
    if ((oop & 1) !== 0) return String(oop >> 1);
    if (oop === memory.nil) return 'nil';
    if (oop === memory.true) return 'true';
    if (oop === memory.false) return 'false';
    if (isString(memory, oop)) return `'${memory.stringValue(oop)}'`;
    const name = className(memory, memory.classOf(oop));
    return /^[AEIOU]/.test(name) ? `an ${name}` : `a ${name}`;
  }
}

const STRING_SHAPES: ReadonlySet<number> = new Set([
  SHAPE.ByteString,
  SHAPE.WideString,
  SHAPE.ByteSymbol,
  SHAPE.WideSymbol,
]);

function isString(memory: ObjectMemory, oop: Oop): boolean {
  return (oop & 1) === 0 && STRING_SHAPES.has(memory.shapeOf(oop));
}

function className(memory: ObjectMemory, classOop: Oop): string {
  const name = memory.fetch(classOop, CLASS.name);
  if (isString(memory, name)) return memory.stringValue(name);
  const thisClass = memory.fetch(classOop, METACLASS.thisClass);
  const inner = (thisClass & 1) === 0 ? memory.fetch(thisClass, CLASS.name) : 0;
  return inner !== 0 && isString(memory, inner) ? `${memory.stringValue(inner)} class` : 'Object';
}
