/**
 * For tests: two ways to run a method, which must agree.
 *
 * The reference walks the syntax tree and knows no trick: every block is a closure over
 * environments, every control structure is a message that calls it. The machine runs the compiled
 * bytecodes. So blocks compiled in place, copied values and temp vectors must be invisible; that is
 * what the compiler claims.
 *
 * Values are numbers, true, false, nil (null), closures, Arrays and the one receiver. What a
 * program does shows in its log; `self keep: aBlock` keeps a closure that is run after the method
 * has returned.
 */
import { CLOSURE_COPIED_MASK, SPECIAL_SELECTORS } from '../../vm/bytecode/bytecodes.ts';
import { decode, type Instruction } from '../../vm/bytecode/decode.ts';
import type {
  BlockNode,
  Expression,
  MessagePart,
  MethodNode,
  Statement,
} from '../../vm/compiler/ast.ts';
import type { Literal, MethodSpec } from '../../vm/compiler/method-spec.ts';

const RECEIVER = Symbol('receiver');

type Call = (args: readonly Value[]) => Value;
type Value = number | boolean | null | string | typeof RECEIVER | Value[] | Closure;

interface Closure {
  readonly numArgs: number;
  readonly call: Call;
}

/**
 * A program that runs too long; both machines count alike only roughly, so the run is thrown away.
 */
export class OutOfSteps extends Error {}

class Return extends Error {
  readonly home: object;
  readonly value: Value;

  constructor(home: object, value: Value) {
    super('return');
    this.home = home;
    this.value = value;
  }
}

/** What both share: the receiver's state, and what messages do. */
class World {
  readonly log: string[] = [];
  readonly #kept: Closure[] = [];
  readonly #stepsMax: number;
  #fuel = 0;
  #steps = 0;

  constructor(stepsMax: number) {
    this.#stepsMax = stepsMax;
  }

  /** Runs `method`, then what it kept, twice each. */
  run(method: () => Value): string[] {
    this.log.push(`answer ${describe(method())}`);
    for (let index = 0; index < Math.min(this.#kept.length, 50); index++) {
      const closure = this.#kept[index];
      if (closure !== undefined) this.#runKept(closure);
    }
    return this.log;
  }

  send(receiver: Value, selector: string, args: readonly Value[]): Value {
    this.#steps += 1;
    if (this.#steps > this.#stepsMax) throw new OutOfSteps();
    const [first = null, second = null, third = null] = args;
    if (selector === '==') return receiver === first;
    if (receiver === RECEIVER) {
      const answer = this.#receive(selector, first);
      if (answer !== undefined) return answer;
    }
    if (typeof receiver === 'number') {
      const answer = this.#number(receiver, selector, [first, second, third]);
      if (answer !== undefined) return answer;
    }
    if (isClosure(receiver)) {
      const answer = this.#closure(receiver, selector, args);
      if (answer !== undefined) return answer;
    }
    return this.#control(receiver, selector, args);
  }

  #runKept(closure: Closure): void {
    for (const round of [1, 2]) {
      try {
        const args = Array.from({ length: closure.numArgs }, () => round);
        this.log.push(`kept ${describe(closure.call(args))}`);
      } catch (error) {
        if (!(error instanceof Return)) throw error;
        this.log.push(`cannot return ${describe(error.value)}`);
      }
    }
  }

  #receive(selector: string, argument: Value): Value | undefined {
    if (selector === 'fuel') return ++this.#fuel % 4 !== 0;
    if (selector === 'log:') {
      this.log.push(describe(argument));
      return argument;
    }
    if (selector !== 'keep:') return undefined;
    if (isClosure(argument)) this.#kept.push(argument);
    return RECEIVER;
  }

  #number(receiver: number, selector: string, args: readonly Value[]): Value | undefined {
    const [first = null, second = null, third = null] = args;
    if (selector === 'to:do:') return this.#count(receiver, { stop: first, step: 1, body: second });
    if (selector === 'to:by:do:')
      return this.#count(receiver, { stop: first, step: second, body: third });
    if (selector === 'timesRepeat:') {
      this.#count(1, { stop: receiver, step: 1, body: first });
      return receiver;
    }
    const other = typeof first === 'number' ? first : 0;
    if (selector === '+') return (receiver + other) % 1009;
    if (selector === '-') return (receiver - other) % 1009;
    if (selector === '*') return (receiver * other) % 1009;
    if (selector === '<') return receiver < other;
    if (selector === '<=') return receiver <= other;
    return selector === '>=' ? receiver >= other : undefined;
  }

  #count(from: number, loop: { stop: Value; step: Value; body: Value }): Value {
    const test = typeof loop.step === 'number' && loop.step < 0 ? '>=' : '<=';
    let at: Value = from;
    while (this.send(at, test, [loop.stop]) === true) {
      if (isClosure(loop.body)) loop.body.call(loop.body.numArgs === 0 ? [] : [at]);
      at = this.send(at, '+', [loop.step]);
    }
    return from;
  }

  #closure(receiver: Closure, selector: string, args: readonly Value[]): Value | undefined {
    if (selector === 'value' || selector === 'value:') {
      return receiver.numArgs === args.length ? receiver.call(args) : null;
    }
    const isWhile = selector.startsWith('whileTrue') || selector.startsWith('whileFalse');
    if (!isWhile && selector !== 'repeat') return undefined;
    const goOn = selector.startsWith('whileTrue');
    const [body] = args;
    for (;;) {
      const test = receiver.call([]);
      if (isWhile && test !== goOn) return null;
      if (isClosure(body)) body.call([]);
      this.#steps += 1;
      if (this.#steps > this.#stepsMax) throw new OutOfSteps();
    }
  }

  #control(receiver: Value, selector: string, args: readonly Value[]): Value {
    const run = (closure: Value | undefined): Value => {
      if (closure === undefined) return null;
      if (!isClosure(closure)) return closure;
      return closure.call(closure.numArgs === 0 ? [] : [receiver]);
    };
    switch (selector) {
      case 'ifTrue:':
      case 'ifTrue:ifFalse:':
        return run(receiver === true ? args[0] : args[1]);
      case 'ifFalse:':
      case 'ifFalse:ifTrue:':
        return run(receiver === false ? args[0] : args[1]);
      case 'and:':
        return receiver === true ? run(args[0]) : false;
      case 'or:':
        return receiver === false ? run(args[0]) : true;
      case 'ifNil:':
        return receiver === null ? run(args[0]) : receiver;
      case 'ifNotNil:':
        return receiver === null ? null : run(args[0]);
      case 'ifNil:ifNotNil:':
        return run(receiver === null ? args[0] : args[1]);
      case 'ifNotNil:ifNil:':
        return run(receiver === null ? args[1] : args[0]);
      default:
        return selector.endsWith('=') || selector === '<' ? false : null;
    }
  }
}

/** Runs the syntax tree. Answers the log. */
export function runTree(method: MethodNode, stepsMax: number): string[] {
  const world = new World(stepsMax);
  return world.run(() => {
    const home = {};
    const variables = new Map<string, Value>();
    for (const { name } of [...method.parameters, ...method.temporaries]) variables.set(name, null);
    const walker = new TreeWalker(world, home, { variables, outer: null });
    try {
      walker.statements(method.statements);
      return RECEIVER;
    } catch (error) {
      if (error instanceof Return && error.home === home) return error.value;
      throw error;
    }
  });
}

interface Environment {
  readonly variables: Map<string, Value>;
  readonly outer: Environment | null;
}

class TreeWalker {
  readonly #world: World;
  readonly #home: object;
  readonly #environment: Environment;

  constructor(world: World, home: object, environment: Environment) {
    this.#world = world;
    this.#home = home;
    this.#environment = environment;
  }

  statements(statements: readonly Statement[]): Value {
    let last: Value = null;
    for (const statement of statements) {
      if (statement.kind === 'return') throw new Return(this.#home, this.#value(statement.value));
      last = this.#value(statement);
    }
    return last;
  }

  #value(node: Expression): Value {
    switch (node.kind) {
      case 'literal':
        return literalValue(node.value);
      case 'variable':
        if (node.name === 'self') return RECEIVER;
        if (node.name === 'nil') return null;
        return this.#holder(node.name).get(node.name) ?? null;
      case 'assignment': {
        const value = this.#value(node.value);
        this.#holder(node.variable.name).set(node.variable.name, value);
        return value;
      }
      case 'message':
        return this.#send(this.#value(node.receiver), node);
      case 'cascade': {
        const receiver = this.#value(node.receiver);
        let last: Value = null;
        for (const part of node.parts) last = this.#send(receiver, part);
        return last;
      }
      case 'brace':
        return node.elements.map((element) => this.#value(element));
      case 'block':
        return this.#block(node);
    }
  }

  #send(receiver: Value, part: MessagePart): Value {
    return this.#world.send(
      receiver,
      part.selector,
      part.args.map((arg) => this.#value(arg)),
    );
  }

  #block(node: BlockNode): Closure {
    const call = (args: readonly Value[]): Value => {
      const variables = new Map<string, Value>();
      for (const [index, { name }] of node.parameters.entries())
        variables.set(name, args[index] ?? null);
      for (const { name } of node.temporaries) variables.set(name, null);
      const environment = { variables, outer: this.#environment };
      return new TreeWalker(this.#world, this.#home, environment).statements(node.statements);
    };
    return { numArgs: node.parameters.length, call };
  }

  #holder(name: string): Map<string, Value> {
    let at: Environment | null = this.#environment;
    while (at !== null && !at.variables.has(name)) at = at.outer;
    if (at === null) throw new Error(`Bug: no variable ${name}`);
    return at.variables;
  }
}

/** Runs the bytecodes. Answers the log. */
export function runBytecodes(spec: MethodSpec, stepsMax: number): string[] {
  const world = new World(stepsMax);
  return world.run(() => {
    const home = {};
    try {
      return activate(world, spec, { home, args: [], copied: [] });
    } catch (error) {
      if (error instanceof Return && error.home === home) return error.value;
      throw error;
    }
  });
}

interface Activation {
  readonly home: object;
  readonly args: readonly Value[];
  readonly copied: readonly Value[];
}

function activate(world: World, spec: MethodSpec, activation: Activation): Value {
  const frame: Value[] = [...activation.args, ...activation.copied];
  while (frame.length < spec.numTemps) frame.push(null);
  const machine = { world, spec, frame, stack: [] as Value[], home: activation.home };
  const instructions = new Map(decode(spec.bytecodes).map((each) => [each.offset, each]));
  for (let pc = 0; ; ) {
    const instruction = instructions.get(pc);
    if (instruction === undefined) throw new Error(`Bug: no instruction at ${pc}`);
    pc += instruction.bytes;
    const { name, target } = instruction;
    if (name === 'jump') pc = target;
    else if (name === 'jumpIfTrue' || name === 'jumpIfFalse') {
      if (pop(machine) === (name === 'jumpIfTrue')) pc = target;
    } else if (instruction.bytecode.flow === 'return') {
      const value = returned(machine, instruction);
      if (!name.startsWith('block') && spec.isBlock) throw new Return(machine.home, value);
      return value;
    } else {
      step(machine, instruction);
    }
    if (machine.stack.length + spec.numTemps > spec.frameSize)
      throw new Error('Bug: frame overflow');
  }
}

interface Machine {
  readonly world: World;
  readonly spec: MethodSpec;
  readonly frame: Value[];
  readonly stack: Value[];
  readonly home: object;
}

function pop(machine: Machine): Value {
  const value = machine.stack.pop();
  if (value === undefined) throw new Error('Bug: the stack is empty');
  return value;
}

function returned(machine: Machine, { name }: Instruction): Value {
  if (name.endsWith('Top')) return pop(machine);
  if (name === 'returnReceiver') return RECEIVER;
  return name === 'returnTrue' ? true : name === 'returnFalse' ? false : null;
}

function step(machine: Machine, instruction: Instruction): void {
  const { stack, frame, spec, world } = machine;
  const [first = 0, second = 0] = instruction.operands;
  const top = (): Value => stack.at(-1) ?? null;
  const vector = (): Value[] => frame[second] as Value[];
  const send = (selector: string, count: number): void => {
    const args = stack.splice(stack.length - count, count);
    stack.push(world.send(pop(machine), selector, args));
  };
  switch (instruction.name) {
    case 'pushLiteral':
      return void stack.push(literalValue(spec.literals[first]));
    case 'pushTemp':
      return void stack.push(frame[first] ?? null);
    case 'pushReceiver':
      return void stack.push(RECEIVER);
    case 'pushTrue':
      return void stack.push(true);
    case 'pushFalse':
      return void stack.push(false);
    case 'pushNil':
      return void stack.push(null);
    case 'pushInteger':
      return void stack.push(first);
    case 'duplicate':
      return void stack.push(top());
    case 'pop':
      return void pop(machine);
    case 'storeTemp':
      frame[first] = top();
      return;
    case 'popIntoTemp':
      frame[first] = pop(machine);
      return;
    case 'pushRemoteTemp':
      return void stack.push(vector()[first] ?? null);
    case 'storeRemoteTemp':
      vector()[first] = top();
      return;
    case 'popIntoRemoteTemp':
      vector()[first] = pop(machine);
      return;
    case 'pushNewArray':
      return void stack.push(
        second === 1 ? stack.splice(stack.length - first) : Array(first).fill(null),
      );
    case 'sendSpecial': {
      const special = SPECIAL_SELECTORS[first];
      return send(special?.selector ?? '', special?.numArgs ?? 0);
    }
    case 'send': {
      const literal = spec.literals[first];
      return send(literal?.kind === 'symbol' ? literal.value : '', second);
    }
    case 'pushFullClosure':
      return void stack.push(closure(machine, spec.literals[first], second & CLOSURE_COPIED_MASK));
    default:
      throw new Error(`Bug: ${instruction.name} is not expected here`);
  }
}

function closure(machine: Machine, literal: Literal | undefined, numCopied: number): Closure {
  if (literal?.kind !== 'block') throw new Error('Bug: not a block');
  const { method } = literal;
  const { world, home, stack } = machine;
  const copied = stack.splice(stack.length - numCopied, numCopied);
  return {
    numArgs: method.numArgs,
    call: (args) => activate(world, method, { home, args, copied }),
  };
}

function literalValue(literal: Literal | undefined): Value {
  if (literal?.kind === 'integer') return Number(literal.value);
  return literal?.kind === 'symbol' ? literal.value : null;
}

function isClosure(value: Value | undefined): value is Closure {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Arrays are shown three deep: a program can double one in every step. */
function describe(value: Value, depth = 3): string {
  if (value === RECEIVER) return 'self';
  if (isClosure(value)) return `block ${value.numArgs}`;
  if (!Array.isArray(value)) return String(value);
  return depth === 0 ? '{…}' : `{${value.map((each) => describe(each, depth - 1)).join(' ')}}`;
}
