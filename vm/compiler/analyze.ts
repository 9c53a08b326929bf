/**
 * What every name means, which messages are compiled in place, which variables closures share.
 *
 * One walk in evaluation order. Events are numbered, so "written after captured" is a comparison of
 * two numbers; loops compiled in place, where text order is not time order, are kept as sets
 * (variables.ts).
 */
import { assert } from '../base/assert.ts';
import type {
  AssignmentNode,
  BlockNode,
  Expression,
  MessageNode,
  MethodNode,
  Statement,
  VariableNode,
} from './ast.ts';
import { CompileError, placeOf } from './error.ts';
import { type InlineKind, inlineKind } from './inline.ts';
import { type CompileWarning, type Scope, TEMPS_MAX } from './method-spec.ts';
import { allocate, type FunctionScope, LexicalScope, Loop, Variable } from './variables.ts';

export type PseudoVariable = 'self' | 'super' | 'nil' | 'true' | 'false' | 'thisContext';

export type Binding =
  | { kind: 'local'; variable: Variable }
  | { kind: 'instance'; index: number }
  | { kind: 'global'; name: string }
  | { kind: 'pseudo'; name: PseudoVariable };

/**
 * The hidden temporaries of a counting loop: its limit unless that is a literal, and its counter.
 */
export interface LoopVariables {
  readonly limit: Variable | null;
  readonly counter: Variable | null;
}

/** What generation needs to know beside the tree. */
export interface Analysis {
  readonly bindings: ReadonlyMap<VariableNode, Binding>;
  readonly inlined: ReadonlyMap<MessageNode, InlineKind>;
  /** The scope of the method and of every block. */
  readonly scopes: ReadonlyMap<MethodNode | BlockNode, LexicalScope>;
  readonly loops: ReadonlyMap<MessageNode, LoopVariables>;
  readonly primitiveError: Variable | null;
}

export interface AnalysisInput {
  readonly source: string;
  readonly scope: Scope;
  readonly instanceVariables: readonly string[];
  /** Whether assigning to an unknown name is legal. */
  readonly assignUndeclared: boolean;
  readonly onWarning: (warning: CompileWarning) => void;
}

const PSEUDO_VARIABLES: ReadonlySet<string> = new Set([
  'self',
  'super',
  'nil',
  'true',
  'false',
  'thisContext',
] satisfies PseudoVariable[]);

/** Analyses a method. Throws CompileError for a name that is misused. */
export function analyze(method: MethodNode, input: AnalysisInput): Analysis {
  return new Analyzer(input).run(method);
}

class Analyzer {
  readonly #input: AnalysisInput;
  readonly #bindings = new Map<VariableNode, Binding>();
  readonly #inlined = new Map<MessageNode, InlineKind>();
  readonly #scopes = new Map<MethodNode | BlockNode, LexicalScope>();
  readonly #loops = new Map<MessageNode, LoopVariables>();
  readonly #functions: FunctionScope[] = [];
  readonly #references: { variable: Variable; fn: FunctionScope }[] = [];
  readonly #warned = new Set<string>();
  #scope = new LexicalScope(null, { fn: null, loop: null, isLoopBody: false });
  #loop: Loop | null = null;
  #clock = 0;

  constructor(input: AnalysisInput) {
    this.#input = input;
  }

  run(method: MethodNode): Analysis {
    const root = this.#scope;
    this.#functions.push(root.fn);
    this.#scopes.set(method, root);
    this.#enter(root, () => {
      for (const parameter of method.parameters) this.#declare(parameter, 'argument');
      for (const temporary of method.temporaries) this.#declare(temporary, 'temporary');
      const error = method.primitive?.error ?? null;
      if (error !== null && root.find(error.name) === undefined) this.#declare(error, 'temporary');
      for (const statement of method.statements) this.#statement(statement);
    });
    const error = method.primitive?.error ?? null;
    const primitiveError = error === null ? null : (root.find(error.name) ?? null);
    if (error !== null && primitiveError?.kind === 'argument') {
      throw this.#error(error, `the argument "${error.name}"`, 'a temporary for the error code');
    }
    allocate(this.#functions, this.#references, primitiveError);
    return {
      bindings: this.#bindings,
      inlined: this.#inlined,
      scopes: this.#scopes,
      loops: this.#loops,
      primitiveError,
    };
  }

  #enter(scope: LexicalScope, walk: () => void): void {
    const [outer, outerLoop] = [this.#scope, this.#loop];
    scope.fn.scopes.push(scope);
    this.#scope = scope;
    this.#loop = scope.loop;
    walk();
    this.#scope = outer;
    this.#loop = outerLoop;
  }

  #declare(node: VariableNode, kind: 'argument' | 'temporary'): Variable {
    const { name } = node;
    if (PSEUDO_VARIABLES.has(name) || this.#input.scope.isReserved?.(name) === true) {
      throw this.#error(node, `"${name}", a reserved name`, 'another name for the variable');
    }
    if (this.#scope.variables.length >= TEMPS_MAX) {
      const found = `more than ${TEMPS_MAX} variables`;
      const problem = { position: node.start, found, wanted: `at most ${TEMPS_MAX}` };
      throw new CompileError('COMPILE_LIMIT', this.#input.source, problem);
    }
    if (this.#scope.variables.some((variable) => variable.name === name)) {
      throw this.#error(node, `a second variable called "${name}"`, 'another name');
    }
    if (this.#scope.find(name) !== undefined || this.#input.instanceVariables.includes(name)) {
      this.#warn(node, 'shadowed', `"${name}" hides another variable of that name`);
    }
    const variable = new Variable(name, kind, this.#scope);
    this.#scope.variables.push(variable);
    this.#bindings.set(node, { kind: 'local', variable });
    return variable;
  }

  #statement(statement: Statement): void {
    if (statement.kind !== 'return') return this.#expression(statement);
    this.#expression(statement.value);
    const { fn } = this.#scope;
    fn.hasReturn = true;
    for (let at = fn.outer; at !== null; at = at.outer) at.hasReturnWithin = true;
  }

  #expression(expression: Expression): void {
    const pending: MessageNode[] = [];
    let node = expression;
    while (node.kind === 'message') {
      const kind = inlineKind(node);
      if (kind !== null) this.#inlined.set(node, kind);
      pending.push(node);
      if (kind === 'while' || kind === 'repeat') break;
      node = node.receiver;
    }
    if (node.kind !== 'message') this.#innermost(node, pending.length > 0);
    for (let message = pending.pop(); message !== undefined; message = pending.pop()) {
      this.#message(message);
    }
  }

  #innermost(node: Exclude<Expression, MessageNode>, isReceiver: boolean): void {
    switch (node.kind) {
      case 'literal':
        return;
      case 'variable':
        return this.#read(node, isReceiver);
      case 'assignment':
        this.#expression(node.value);
        return this.#write(node);
      case 'cascade':
        if (node.receiver.kind === 'variable') this.#read(node.receiver, true);
        else this.#expression(node.receiver);
        for (const part of node.parts) for (const arg of part.args) this.#expression(arg);
        return;
      case 'brace':
        for (const element of node.elements) this.#expression(element);
        return;
      case 'block':
        return this.#closure(node);
    }
  }

  /** The message's receiver has been walked, unless it is the block of a loop. */
  #message(message: MessageNode): void {
    const kind = this.#inlined.get(message);
    const { receiver, args } = message;
    if (kind === undefined) {
      for (const arg of args) this.#expression(arg);
    } else if (kind === 'while' || kind === 'repeat') {
      const loop = new Loop(this.#loop);
      for (const block of [receiver, ...args]) this.#inPlace(block, loop);
    } else if (kind === 'toDo' || kind === 'timesRepeat') {
      for (const arg of args.slice(0, -1)) this.#expression(arg);
      const stop = kind === 'toDo' ? args[0] : receiver;
      const limit = stop?.kind === 'literal' ? null : this.#hidden('.limit');
      const counter = kind === 'timesRepeat' ? this.#hidden('.counter') : null;
      this.#loops.set(message, { limit, counter });
      this.#inPlace(args.at(-1), new Loop(this.#loop));
    } else {
      for (const arg of args) this.#inPlace(arg, null);
    }
  }

  #hidden(name: string): Variable {
    const variable = new Variable(name, 'hidden', this.#scope);
    this.#scope.variables.push(variable);
    return variable;
  }

  /**
   * A block whose code becomes part of the function around it; a loop's body when `loop` is given.
   */
  #inPlace(node: Expression | undefined, loop: Loop | null): void {
    assert(node?.kind === 'block', 'only blocks are compiled in place');
    const { fn } = this.#scope;
    const isLoopBody = loop !== null;
    const place = { fn, loop: loop ?? this.#loop, isLoopBody };
    const scope = new LexicalScope(this.#scope, place);
    this.#scopes.set(node, scope);
    this.#enter(scope, () => this.#block(node));
  }

  #closure(node: BlockNode): void {
    const scope = new LexicalScope(this.#scope, { fn: null, loop: this.#loop, isLoopBody: false });
    this.#functions.push(scope.fn);
    this.#scopes.set(node, scope);
    this.#enter(scope, () => {
      this.#loop = null;
      this.#block(node);
    });
  }

  #block(node: BlockNode): void {
    for (const parameter of node.parameters) this.#declare(parameter, 'argument');
    for (const temporary of node.temporaries) this.#declare(temporary, 'temporary');
    for (const statement of node.statements) this.#statement(statement);
  }

  #read(node: VariableNode, isReceiver: boolean): void {
    const binding = this.#resolve(node);
    this.#bindings.set(node, binding);
    if (this.#isUndeclared(binding)) {
      const message = `"${node.name}" is undeclared${this.#suggestions(node.name)}`;
      this.#warn(node, 'undeclared', message);
    }
    const { fn } = this.#scope;
    if (binding.kind === 'local') {
      this.#touch(binding.variable);
    } else if (binding.kind === 'pseudo') {
      if (binding.name === 'super' && !isReceiver) {
        throw this.#error(node, '"super" without a message', 'a message to super');
      }
      for (let at: FunctionScope | null = fn; at !== null; at = at.outer) {
        if (binding.name === 'thisContext') at.usesThisContext = true;
        if (binding.name === 'super') at.usesSuper = true;
      }
    }
  }

  #write({ variable: node }: AssignmentNode): void {
    const binding = this.#resolve(node);
    this.#bindings.set(node, binding);
    if (binding.kind === 'pseudo') {
      throw this.#error(node, `an assignment to "${node.name}"`, 'a variable');
    }
    if (this.#isUndeclared(binding)) this.#assignUndeclared(node);
    if (binding.kind !== 'local') return;
    const { variable } = binding;
    if (variable.kind === 'argument') {
      throw this.#error(node, `an assignment to the argument "${node.name}"`, 'a variable');
    }
    const { fn } = this.#scope;
    if (!variable.isTouched && this.#scope !== variable.scope) variable.needsNil = true;
    variable.isTouched = true;
    if (variable.scope.fn === fn) {
      variable.lastWrite = ++this.#clock;
      addLoops(variable.writeLoops, this.#loop, variable.scope.loop);
      this.#references.push({ variable, fn });
    } else {
      variable.isWrittenInClosure = true;
      this.#touch(variable);
    }
  }

  /** A read, or a write from a closure. */
  #touch(variable: Variable): void {
    const { fn } = this.#scope;
    if (!variable.isTouched) variable.needsNil = true;
    variable.isTouched = true;
    this.#references.push({ variable, fn });
    if (variable.scope.fn === fn) return;
    variable.isCaptured = true;
    variable.firstCapture = Math.min(variable.firstCapture, ++this.#clock);
    let inner = fn;
    while (inner.outer !== null && inner.outer !== variable.scope.fn) inner = inner.outer;
    addLoops(variable.captureLoops, inner.creationLoop, variable.scope.loop);
  }

  #resolve(node: VariableNode): Binding {
    const { name } = node;
    if (PSEUDO_VARIABLES.has(name)) return { kind: 'pseudo', name: name as PseudoVariable };
    const variable = this.#scope.find(name);
    if (variable !== undefined) return { kind: 'local', variable };
    const index = this.#input.instanceVariables.lastIndexOf(name);
    if (index >= 0) return { kind: 'instance', index };
    return { kind: 'global', name };
  }

  #assignUndeclared(node: VariableNode): void {
    const suggestions = this.#suggestions(node.name);
    if (!this.#input.assignUndeclared) {
      const found = `an assignment to the unknown name "${node.name}"`;
      throw this.#error(node, found, `a declared variable${suggestions}`);
    }
    this.#warn(node, 'undeclared', `"${node.name}" is undeclared${suggestions}`);
  }

  #isUndeclared(binding: Binding): boolean {
    return binding.kind === 'global' && this.#input.scope.binding(binding.name) === 'undeclared';
  }

  /** `; perhaps "x" or "y"`, or nothing. */
  #suggestions(name: string): string {
    const names = this.#input.scope.suggestions?.(name).slice(0, 3) ?? [];
    return names.length === 0 ? '' : `; perhaps ${names.map((each) => `"${each}"`).join(' or ')}`;
  }

  #warn(node: VariableNode, kind: CompileWarning['kind'], message: string): void {
    if (this.#warned.has(`${kind} ${node.name}`)) return;
    this.#warned.add(`${kind} ${node.name}`);
    const { line, column } = placeOf(this.#input.source, node.start);
    const at = { position: node.start, line, column };
    this.#input.onWarning({ kind, name: node.name, message, ...at });
  }

  #error(node: VariableNode, found: string, wanted: string): CompileError {
    const problem = { position: node.start, found, wanted };
    return new CompileError('COMPILE_NAME', this.#input.source, problem);
  }
}

/** Adds the loops around `from`, up to but not including `until`. */
function addLoops(set: Set<Loop>, from: Loop | null, until: Loop | null): void {
  for (let loop = from; loop !== null && loop !== until; loop = loop.outer) set.add(loop);
}
