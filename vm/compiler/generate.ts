/**
 * From the analysed tree to Sista V1 bytecodes.
 *
 * Every expression is generated for its value (one word more on the stack) or for its effect
 * (nothing). A frame holds arguments, in a block then the copied values, then temporaries; a temp
 * vector sits in a temporary of the function that makes it. An example, `foo | n | n := 0. ^[n := n
 * + 1]`:
 *
 *     foo      pushNewArray 1; popIntoTemp 0; pushInteger 0; popIntoRemoteTemp 0 0;
 *              pushTemp 0; pushFullClosure (1 copied); returnTop
 *     block    pushRemoteTemp 0 0; pushInteger 1; send +; storeRemoteTemp 0 0; blockReturnTop
 */
import { assert } from '../base/assert.ts';
import { CLOSURE_IGNORE_OUTER } from '../bytecode/bytecodes.ts';
import type { Analysis, Binding } from './analyze.ts';
import type {
  AssignmentNode,
  BlockNode,
  BraceNode,
  CascadeNode,
  Expression,
  LiteralNode,
  MessageNode,
  MessagePart,
  MethodNode,
  Statement,
  VariableNode,
} from './ast.ts';
import { CodeBuilder } from './code-builder.ts';
import { CompileError } from './error.ts';
import { generateInline } from './generate-inline.ts';
import {
  ARGUMENTS_MAX,
  FRAME_WORDS_MAX,
  LITERALS_MAX,
  type Literal,
  type MethodSpec,
  TEMPS_MAX,
  VECTOR_VARIABLES_MAX,
} from './method-spec.ts';
import type { FunctionScope, LexicalScope, Variable } from './variables.ts';

/**
 * Braces with more elements are filled one by one, which needs three stack words for any number.
 */
const BRACE_ON_STACK_MAX = 16;
const NEW_ARRAY_MAX = 127;

/** Generates a method. `isDoIt`: the last statement's value is the method's. */
export function generateMethod(
  method: MethodNode,
  analysis: Analysis,
  options: { source: string; isDoIt: boolean },
): MethodSpec {
  const home = { method, analysis, source: options.source };
  return new Generator(home, method).method(options.isDoIt);
}

interface Home {
  readonly method: MethodNode;
  readonly analysis: Analysis;
  readonly source: string;
}

/** Generates one function. */
export class Generator {
  readonly code = new CodeBuilder();
  readonly analysis: Analysis;
  readonly #home: Home;
  readonly #node: MethodNode | BlockNode;
  readonly #fn: FunctionScope;

  constructor(home: Home, node: MethodNode | BlockNode) {
    this.#home = home;
    this.analysis = home.analysis;
    this.#node = node;
    this.#fn = this.scopeOf(node).fn;
  }

  method(isDoIt: boolean): MethodSpec {
    const { method } = this.#home;
    this.#checkArguments(method.parameters.length, method.start);
    this.#primitive();
    this.enterScope(this.scopeOf(method));
    this.#statements(method.statements, isDoIt);
    if (isDoIt) this.code.emit('returnTop');
    else this.code.emit('returnReceiver');
    this.code.literals.push(
      { kind: 'symbol', value: method.selector },
      { kind: 'selfMethodClass' },
    );
    return this.#spec();
  }

  #block(node: BlockNode): MethodSpec {
    this.#checkArguments(node.parameters.length, node.start);
    this.enterScope(this.scopeOf(node));
    const last = node.statements.at(-1);
    const isNil = last === undefined || (last.kind === 'variable' && last.name === 'nil');
    this.#statements(node.statements, !isNil);
    this.code.at(node.end - 1);
    this.code.emit(isNil ? 'blockReturnNil' : 'blockReturnTop');
    this.code.literals.push({ kind: 'nil' });
    return this.#spec();
  }

  scopeOf(node: MethodNode | BlockNode): LexicalScope {
    const scope = this.analysis.scopes.get(node);
    assert(scope !== undefined, 'every block has a scope');
    return scope;
  }

  /** Makes the scope's temp vector; in a loop, clears what the last iteration may have left. */
  enterScope(scope: LexicalScope): void {
    if (scope.vector !== null) {
      const size = scope.vector.variables.length;
      if (size > VECTOR_VARIABLES_MAX) {
        throw this.#limit(`${size} shared variables`, `at most ${VECTOR_VARIABLES_MAX}`);
      }
      this.code.emit('pushNewArray', size, 0);
      this.code.emit('popIntoTemp', this.#fn.slotOf(scope.vector));
    }
    const { primitiveError } = this.analysis;
    if (primitiveError?.vector?.scope === scope) {
      this.code.emit('pushTemp', this.#fn.slotOf(primitiveError));
      this.storeVariable(primitiveError, 'effect');
    }
    if (scope.loop === null || scope === this.#fn.root) return;
    for (const variable of scope.variables) {
      if (variable.kind !== 'temporary' || !variable.needsNil || variable.vector !== null) continue;
      this.code.emit('pushNil');
      this.code.emit('popIntoTemp', this.#fn.slotOf(variable));
    }
  }

  /** The body of a block in place, whose parameters have been stored. */
  blockInPlace(node: Expression | undefined, want: 'value' | 'effect'): void {
    assert(node?.kind === 'block', 'only blocks are compiled in place');
    this.enterScope(this.scopeOf(node));
    this.#statements(node.statements, want === 'value');
  }

  value(node: Expression): void {
    this.#expression(node, 'value');
  }

  effect(node: Expression): void {
    this.#expression(node, 'effect');
  }

  storeVariable(variable: Variable, want: 'value' | 'effect'): void {
    const { vector } = variable;
    const slot = this.#fn.slotOf(vector ?? variable);
    if (vector === null) {
      this.code.emit(want === 'value' ? 'storeTemp' : 'popIntoTemp', slot);
    } else {
      const index = vector.variables.indexOf(variable);
      this.code.emit(want === 'value' ? 'storeRemoteTemp' : 'popIntoRemoteTemp', index, slot);
    }
  }

  pushVariable(variable: Variable): void {
    const { vector } = variable;
    const slot = this.#fn.slotOf(vector ?? variable);
    if (vector === null) this.code.emit('pushTemp', slot);
    else this.code.emit('pushRemoteTemp', vector.variables.indexOf(variable), slot);
  }

  pushLiteral(literal: Literal): void {
    const { code } = this;
    const isSmall = (value: bigint): boolean => value >= -32768n && value <= 32767n;
    if (literal.kind === 'integer' && isSmall(literal.value)) {
      return code.emit('pushInteger', Number(literal.value));
    }
    if (literal.kind === 'character' && literal.codePoint <= 32767) {
      return code.emit('pushCharacter', literal.codePoint);
    }
    if (literal.kind === 'nil') return code.emit('pushNil');
    if (literal.kind === 'true') return code.emit('pushTrue');
    if (literal.kind === 'false') return code.emit('pushFalse');
    code.emitLiteral('pushLiteral', () => literal);
  }

  /**
   * With `needsValue`, the value of the last statement stays on the stack; nil if there is none.
   */
  #statements(statements: readonly Statement[], needsValue: boolean): void {
    for (const [index, statement] of statements.entries()) {
      const isLast = index === statements.length - 1;
      if (statement.kind === 'return') this.#return(statement.value, statement.start);
      else if (isLast && needsValue) this.value(statement);
      else this.effect(statement);
    }
    if (needsValue && statements.length === 0) this.code.emit('pushNil');
  }

  #return(value: Expression, position: number): void {
    const isSelf = value.kind === 'variable' && value.name === 'self';
    const constant = constantOf(value);
    const name =
      constant === 'nil'
        ? 'returnNil'
        : constant === 'true'
          ? 'returnTrue'
          : constant === 'false'
            ? 'returnFalse'
            : isSelf
              ? 'returnReceiver'
              : 'returnTop';
    if (name === 'returnTop') this.value(value);
    this.code.at(position);
    this.code.emit(name);
  }

  #expression(expression: Expression, want: 'value' | 'effect'): void {
    const pending: MessageNode[] = [];
    let node = expression;
    while (node.kind === 'message') {
      pending.push(node);
      const kind = this.analysis.inlined.get(node);
      if (kind === 'while' || kind === 'repeat') break;
      node = node.receiver;
    }
    if (node.kind !== 'message') this.#innermost(node, pending.length > 0 ? 'value' : want);
    for (let message = pending.pop(); message !== undefined; message = pending.pop()) {
      const wanted = pending.length > 0 ? 'value' : want;
      const kind = this.analysis.inlined.get(message);
      if (kind === undefined) this.#send(message, isSuper(message.receiver), wanted);
      else generateInline(this, message, { kind, want: wanted });
    }
  }

  #innermost(node: Exclude<Expression, MessageNode>, want: 'value' | 'effect'): void {
    this.code.at(node.start);
    switch (node.kind) {
      case 'literal':
        return want === 'value' ? this.#literal(node) : undefined;
      case 'variable':
        return want === 'value' ? this.#variable(node) : undefined;
      case 'assignment':
        return this.#assignment(node, want);
      case 'cascade':
        this.#cascade(node);
        break;
      case 'brace':
        this.#brace(node);
        break;
      case 'block':
        if (want === 'effect') return;
        return this.#closure(node);
    }
    if (want === 'effect') this.code.emit('pop');
  }

  #send(part: MessagePart, toSuper: boolean, want: 'value' | 'effect'): void {
    for (const arg of part.args) this.value(arg);
    this.#checkArguments(part.args.length, part.at);
    this.code.at(part.at);
    this.code.send(part.selector, toSuper);
    if (want === 'effect') this.code.emit('pop');
  }

  #literal(node: LiteralNode): void {
    this.pushLiteral(node.value);
  }

  #bindingOf(node: VariableNode): Binding {
    const binding = this.analysis.bindings.get(node);
    assert(binding !== undefined, `"${node.name}" has no binding`);
    return binding;
  }

  #variable(node: VariableNode): void {
    const binding = this.#bindingOf(node);
    const { code } = this;
    switch (binding.kind) {
      case 'local':
        return this.pushVariable(binding.variable);
      case 'instance':
        return code.emit('pushReceiverVariable', binding.index);
      case 'global':
        return code.emitLiteral('pushLiteralVariable', () => ({
          kind: 'binding',
          name: binding.name,
        }));
      case 'pseudo':
        if (binding.name === 'thisContext') return code.emit('pushThisContext');
        if (binding.name === 'self' || binding.name === 'super') return code.emit('pushReceiver');
        return this.pushLiteral({ kind: binding.name });
    }
  }

  #assignment(node: AssignmentNode, want: 'value' | 'effect'): void {
    this.value(node.value);
    const binding = this.#bindingOf(node.variable);
    const { code } = this;
    code.at(node.start);
    const isValue = want === 'value';
    if (binding.kind === 'local') {
      this.storeVariable(binding.variable, want);
    } else if (binding.kind === 'instance') {
      code.emit(isValue ? 'storeReceiverVariable' : 'popIntoReceiverVariable', binding.index);
    } else {
      assert(binding.kind === 'global', 'a pseudo-variable cannot be assigned');
      const name = isValue ? 'storeLiteralVariable' : 'popIntoLiteralVariable';
      code.emitLiteral(name, () => ({ kind: 'binding', name: binding.name }));
    }
  }

  #cascade(node: CascadeNode): void {
    this.value(node.receiver);
    const toSuper = isSuper(node.receiver);
    for (const [index, part] of node.parts.entries()) {
      const isLast = index === node.parts.length - 1;
      if (!isLast) this.code.emit('duplicate');
      this.#send(part, toSuper, isLast ? 'value' : 'effect');
    }
  }

  #brace(node: BraceNode): void {
    const { elements } = node;
    if (elements.length <= BRACE_ON_STACK_MAX) {
      for (const element of elements) this.value(element);
      this.code.at(node.start);
      return this.code.emit('pushNewArray', elements.length, elements.length === 0 ? 0 : 1);
    }
    if (elements.length <= NEW_ARRAY_MAX) {
      this.code.emit('pushNewArray', elements.length, 0);
    } else {
      this.code.emitLiteral('pushLiteralVariable', () => ({ kind: 'binding', name: 'Array' }));
      this.pushLiteral({ kind: 'integer', value: BigInt(elements.length) });
      this.code.send('new:');
    }
    for (const [index, element] of elements.entries()) {
      this.code.emit('duplicate');
      this.pushLiteral({ kind: 'integer', value: BigInt(index + 1) });
      this.value(element);
      this.code.send('at:put:');
      this.code.emit('pop');
    }
  }

  #closure(node: BlockNode): void {
    if (!this.code.isReachable) return;
    const method = new Generator(this.#home, node).#block(node);
    const { fn } = this.scopeOf(node);
    this.code.at(node.start);
    for (const carrier of fn.copied) this.code.emit('pushTemp', this.#fn.slotOf(carrier));
    const needsOuter = method.hasNonLocalReturn || method.usesThisContext;
    const flags = fn.copied.length + (needsOuter ? 0 : CLOSURE_IGNORE_OUTER);
    this.code.emitLiteral('pushFullClosure', () => ({ kind: 'block', method }), flags);
  }

  /**
   * The variable for the error code gets it from the top of the stack, where a failure leaves it.
   */
  #primitive(): void {
    const { primitive } = this.#home.method;
    if (primitive === null) return;
    if (primitive.name !== null) {
      const symbol = (value: string): Literal => ({ kind: 'symbol', value });
      const zero: Literal = { kind: 'integer', value: 0n };
      const module: Literal =
        primitive.module === null ? { kind: 'nil' } : symbol(primitive.module);
      const elements = [module, symbol(primitive.name), zero, zero];
      this.code.literal({ kind: 'array', elements });
    }
    this.code.at(primitive.start);
    this.code.emit('callPrimitive', primitive.number & 0xff, primitive.number >> 8);
    const { primitiveError } = this.analysis;
    if (primitiveError !== null) this.code.storeErrorCode(this.#fn.slotOf(primitiveError));
  }

  #spec(): MethodSpec {
    const { code } = this;
    const fn = this.#fn;
    const { method } = this.#home;
    const isBlock = this.#node.kind === 'block';
    const numTemps = fn.names.length;
    if (numTemps > TEMPS_MAX) throw this.#limit(`${numTemps} variables`, `at most ${TEMPS_MAX}`);
    const frameSize = numTemps + code.depthMax;
    if (frameSize > FRAME_WORDS_MAX) {
      throw this.#limit(`a frame of ${frameSize} words`, `at most ${FRAME_WORDS_MAX}`);
    }
    if (code.literals.length > LITERALS_MAX) {
      throw this.#limit(`${code.literals.length} literals`, `at most ${LITERALS_MAX}`);
    }
    const finished = code.finish();
    if (finished === null) throw this.#limit('a jump over too much code', 'shorter blocks');
    const { primitiveError } = this.analysis;
    const hasError = !isBlock && primitiveError !== null;
    return {
      selector: method.selector,
      numArgs: this.#node.parameters.length,
      numTemps,
      frameSize,
      primitive: isBlock ? 0 : (method.primitive?.number ?? 0),
      primitiveErrorTemp: hasError ? fn.slotOf(primitiveError) : null,
      literals: code.literals,
      ...finished,
      pragmas: isBlock
        ? []
        : method.pragmas.map(({ selector, args }) => ({ selector, args: [...args] })),
      isBlock,
      numCopied: fn.copied.length,
      tempNames: [...fn.names],
      hasNonLocalReturn: (isBlock && fn.hasReturn) || fn.hasReturnWithin,
      usesThisContext: fn.usesThisContext,
      usesSuper: fn.usesSuper,
    };
  }

  #checkArguments(count: number, position: number): void {
    if (count <= ARGUMENTS_MAX) return;
    throw this.#limit(`${count} arguments`, `at most ${ARGUMENTS_MAX}`, position);
  }

  #limit(found: string, wanted: string, position = this.#node.start): CompileError {
    return new CompileError('COMPILE_LIMIT', this.#home.source, { position, found, wanted });
  }
}

function isSuper(node: Expression): boolean {
  return node.kind === 'variable' && node.name === 'super';
}

function constantOf(node: Expression): string | null {
  if (node.kind === 'variable') return node.name;
  return node.kind === 'literal' ? node.value.kind : null;
}
