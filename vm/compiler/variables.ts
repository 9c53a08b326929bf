/**
 * Variables and the scopes that hold them, as analysis finds them and generation uses them.
 *
 * A *function* is what has an activation of its own: the method, and every block that is not
 * compiled in place. A *lexical scope* is any pair of brackets; several share a function when
 * blocks are in place.
 *
 * A captured variable is one that a function within reads or writes. It is copied into the closure
 * when no write can come after the capture; otherwise it lives in a temp vector (an Array that its
 * function and the closures share). A vector belongs to a function or to the body of a loop
 * compiled in place: in the latter case every iteration makes a fresh one, so closures made in
 * different iterations do not share the variables declared within.
 */
import { assert } from '../base/assert.ts';

export type VariableKind = 'argument' | 'temporary' | 'hidden';

export class Variable {
  readonly name: string;
  readonly kind: VariableKind;
  readonly scope: LexicalScope;
  /** Where in the event order it was first captured or first written within a closure. */
  firstCapture = Number.POSITIVE_INFINITY;
  lastWrite = -1;
  isCaptured = false;
  isWrittenInClosure = false;
  /** Loops, inside its scope, that contain a write here in its function, or a capture. */
  readonly writeLoops = new Set<Loop>();
  readonly captureLoops = new Set<Loop>();
  /** Whether a loop's next iteration could see the value of the one before. */
  needsNil = false;
  isTouched = false;
  vector: Vector | null = null;

  constructor(name: string, kind: VariableKind, scope: LexicalScope) {
    this.name = name;
    this.kind = kind;
    this.scope = scope;
  }

  /** Whether some write may come after some capture. */
  get mustBeShared(): boolean {
    if (!this.isCaptured) return false;
    if (this.isWrittenInClosure || this.lastWrite > this.firstCapture) return true;
    for (const loop of this.writeLoops) if (this.captureLoops.has(loop)) return true;
    return false;
  }
}

/** The shared variables of one function or loop body, in order of declaration. */
export class Vector {
  readonly scope: LexicalScope;
  readonly variables: Variable[] = [];

  constructor(scope: LexicalScope) {
    this.scope = scope;
  }
}

/** What a frame slot holds and a closure copies. */
export type Carrier = Variable | Vector;

/** A loop compiled in place. */
export class Loop {
  readonly outer: Loop | null;

  constructor(outer: Loop | null) {
    this.outer = outer;
  }
}

export class LexicalScope {
  readonly outer: LexicalScope | null;
  readonly fn: FunctionScope;
  /** The innermost loop of this function around what the scope declares. */
  readonly loop: Loop | null;
  /** Whether the scope is entered once an iteration. */
  readonly isLoopBody: boolean;
  readonly variables: Variable[] = [];
  vector: Vector | null = null;

  constructor(
    outer: LexicalScope | null,
    place: { fn: FunctionScope | null; loop: Loop | null; isLoopBody: boolean },
  ) {
    this.outer = outer;
    this.loop = place.loop;
    this.isLoopBody = place.isLoopBody;
    this.fn = place.fn ?? new FunctionScope(this, outer);
  }

  find(name: string): Variable | undefined {
    for (let scope: LexicalScope | null = this; scope !== null; scope = scope.outer) {
      const found = scope.variables.find((variable) => variable.name === name);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

export class FunctionScope {
  readonly root: LexicalScope;
  readonly outer: FunctionScope | null;
  /** The loop of the outer function in which the closure is made. */
  readonly creationLoop: Loop | null;
  readonly scopes: LexicalScope[] = [];
  readonly copied: Carrier[] = [];
  readonly slots = new Map<Carrier, number>();
  /** The slots' names, by index. */
  readonly names: string[] = [];
  hasReturn = false;
  /** A closure within returns from the method. */
  hasReturnWithin = false;
  usesThisContext = false;
  usesSuper = false;

  constructor(root: LexicalScope, around: LexicalScope | null) {
    this.root = root;
    this.outer = around === null ? null : around.fn;
    this.creationLoop = root.loop;
  }

  slotOf(carrier: Carrier): number {
    const slot = this.slots.get(carrier);
    assert(slot !== undefined, 'a variable has no slot');
    return slot;
  }
}

/** Decides what is shared and what is copied, then numbers the slots of every function. */
export function allocate(
  functions: readonly FunctionScope[],
  references: readonly { variable: Variable; fn: FunctionScope }[],
  last: Variable | null,
): void {
  for (const fn of functions) {
    for (const scope of fn.scopes) for (const variable of scope.variables) share(variable);
  }
  for (const { variable, fn } of references) {
    const carrier = variable.vector ?? variable;
    for (
      let at: FunctionScope | null = fn;
      at !== null && at !== variable.scope.fn;
      at = at.outer
    ) {
      if (!at.copied.includes(carrier)) at.copied.push(carrier);
    }
  }
  for (const fn of functions) numberSlots(fn, last);
}

function share(variable: Variable): void {
  if (!variable.mustBeShared) return;
  let owner = variable.scope;
  while (!owner.isLoopBody && owner !== owner.fn.root) {
    assert(owner.outer !== null, 'only a root has no outer scope');
    owner = owner.outer;
  }
  owner.vector ??= new Vector(owner);
  owner.vector.variables.push(variable);
  variable.vector = owner.vector;
}

function numberSlots(fn: FunctionScope, last: Variable | null): void {
  const give = (carrier: Carrier, name: string): void => {
    fn.slots.set(carrier, fn.names.length);
    fn.names.push(name);
  };
  for (const variable of fn.root.variables) {
    if (variable.kind === 'argument') give(variable, variable.name);
  }
  for (const carrier of fn.copied) give(carrier, nameOf(carrier));
  for (const scope of fn.scopes) {
    if (scope.vector !== null) give(scope.vector, nameOf(scope.vector));
    for (const variable of scope.variables) {
      const placed = fn.slots.has(variable) || variable === last;
      if (!placed && variable.vector === null) give(variable, variable.name);
    }
  }
  if (last !== null && last.scope.fn === fn) give(last, last.name);
}

function nameOf(carrier: Carrier): string {
  if (carrier instanceof Variable) return carrier.name;
  return `<${carrier.variables.map((variable) => variable.name).join(' ')}>`;
}
