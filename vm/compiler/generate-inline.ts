/**
 * Code for the messages that are compiled in place (inline.ts says which).
 *
 * On entry the receiver is on the stack, except for loops whose receiver is a block. On exit its
 * place is taken by the value, or by nothing when only the effect is wanted. `ifNil:` compares with
 * nil by identity, without a send; `ifTrue:` and its like leave a non-Boolean to mustBeBoolean.
 */
import { assert } from '../base/assert.ts';
import type { BlockNode, Expression, MessageNode } from './ast.ts';
import type { Generator } from './generate.ts';
import { type InlineKind, literalStep } from './inline.ts';
import type { Variable } from './variables.ts';

type Want = 'value' | 'effect';

/** Generates `message`, whose receiver's value has been generated. */
export function generateInline(
  generator: Generator,
  message: MessageNode,
  how: { kind: InlineKind; want: Want },
): void {
  const { kind, want } = how;
  generator.code.at(message.at);
  switch (kind) {
    case 'if':
      return conditional(generator, message, want);
    case 'and':
    case 'or':
      return logical(generator, message, { kind, want });
    case 'ifNil':
      return nilTest(generator, message, want);
    case 'while':
      return whileLoop(generator, message, want);
    case 'repeat':
      return repeatLoop(generator, message, want);
    case 'toDo':
      return countingLoop(generator, message, want);
    case 'timesRepeat':
      return timesRepeat(generator, message, want);
  }
}

function conditional(generator: Generator, message: MessageNode, want: Want): void {
  const { code } = generator;
  const [whenTaken, otherwise] = message.args;
  const end = code.label();
  const other = code.label();
  code.jump(message.selector.startsWith('ifTrue:') ? 'jumpIfFalse' : 'jumpIfTrue', other);
  generator.blockInPlace(whenTaken, want);
  if (otherwise === undefined && want === 'effect') return code.bind(other);
  code.jump('jump', end);
  code.bind(other);
  if (otherwise === undefined) code.emit('pushNil');
  else generator.blockInPlace(otherwise, want);
  code.bind(end);
}

function logical(
  generator: Generator,
  message: MessageNode,
  how: { kind: 'and' | 'or'; want: Want },
): void {
  const { code } = generator;
  const isAnd = how.kind === 'and';
  const end = code.label();
  const short = code.label();
  code.jump(isAnd ? 'jumpIfFalse' : 'jumpIfTrue', short);
  generator.blockInPlace(message.args[0], how.want);
  if (how.want === 'effect') return code.bind(short);
  code.jump('jump', end);
  code.bind(short);
  code.emit(isAnd ? 'pushFalse' : 'pushTrue');
  code.bind(end);
}

function nilTest(generator: Generator, message: MessageNode, want: Want): void {
  const { code } = generator;
  const nilFirst = message.selector.startsWith('ifNil:');
  const whenNil = nilFirst ? message.args[0] : message.args[1];
  const whenNotNil = nilFirst ? message.args[1] : message.args[0];
  const end = code.label();
  const isNil = code.label();
  if (whenNotNil === undefined) {
    if (want === 'value') code.emit('duplicate');
    testNil(generator);
    code.jump('jumpIfFalse', end);
    if (want === 'value') code.emit('pop');
    generator.blockInPlace(whenNil, want);
    return code.bind(end);
  }
  const parameter = asBlock(whenNotNil).parameters[0];
  if (parameter !== undefined) {
    const variable = generator.scopeOf(asBlock(whenNotNil)).find(parameter.name);
    assert(variable !== undefined, 'a parameter is declared in its block');
    generator.storeVariable(variable, 'value');
  }
  testNil(generator);
  code.jump('jumpIfTrue', isNil);
  generator.blockInPlace(whenNotNil, want);
  if (whenNil === undefined && want === 'effect') return code.bind(isNil);
  code.jump('jump', end);
  code.bind(isNil);
  if (whenNil === undefined) code.emit('pushNil');
  else generator.blockInPlace(whenNil, want);
  code.bind(end);
}

function testNil(generator: Generator): void {
  generator.code.emit('pushNil');
  generator.code.send('==');
}

function whileLoop(generator: Generator, message: MessageNode, want: Want): void {
  const { code } = generator;
  const start = code.label();
  const end = code.label();
  code.bind(start);
  generator.blockInPlace(message.receiver, 'value');
  code.at(message.at);
  code.jump(message.selector.startsWith('whileTrue') ? 'jumpIfFalse' : 'jumpIfTrue', end);
  if (message.args.length > 0) generator.blockInPlace(message.args[0], 'effect');
  code.at(message.at);
  code.jump('jump', start);
  code.bind(end);
  if (want === 'value') code.emit('pushNil');
}

function repeatLoop(generator: Generator, message: MessageNode, want: Want): void {
  const { code } = generator;
  const start = code.label();
  code.bind(start);
  generator.blockInPlace(message.receiver, 'effect');
  code.at(message.at);
  code.jump('jump', start);
  if (want === 'value') code.emit('pushNil');
}

function countingLoop(generator: Generator, message: MessageNode, want: Want): void {
  const body = asBlock(message.args.at(-1));
  const step = message.selector === 'to:by:do:' ? message.args[1] : undefined;
  const counter = generator.scopeOf(body).find(body.parameters[0]?.name ?? '');
  const stop = message.args[0];
  const limit = generator.analysis.loops.get(message)?.limit ?? null;
  assert(counter !== undefined && stop !== undefined, 'a loop has its parts');
  generator.storeVariable(counter, want);
  if (limit !== null) {
    generator.value(stop);
    generator.storeVariable(limit, 'effect');
  }
  count(generator, message, { counter, limit, stop, step });
}

function timesRepeat(generator: Generator, message: MessageNode, want: Want): void {
  const { code } = generator;
  const loop = generator.analysis.loops.get(message);
  const counter = loop?.counter ?? null;
  const limit = loop?.limit ?? null;
  assert(counter !== null, 'a loop has its counter');
  if (limit !== null) generator.storeVariable(limit, want);
  else if (want === 'effect') code.emit('pop');
  code.emit('pushInteger', 1);
  generator.storeVariable(counter, 'effect');
  count(generator, message, { counter, limit, stop: message.receiver, step: undefined });
}

/**
 * The loop itself, once its counter and limit are stored; the limit is a literal when not stored.
 */
function count(
  generator: Generator,
  message: MessageNode,
  loop: {
    counter: Variable;
    limit: Variable | null;
    stop: Expression;
    step: Expression | undefined;
  },
): void {
  const { code } = generator;
  const { counter, limit, stop, step } = loop;
  const start = code.label();
  const end = code.label();
  code.bind(start);
  code.at(message.at);
  generator.pushVariable(counter);
  if (limit === null) generator.value(stop);
  else generator.pushVariable(limit);
  code.at(message.at);
  code.send(step !== undefined && literalStep(step) === 'down' ? '>=' : '<=');
  code.jump('jumpIfFalse', end);
  generator.blockInPlace(message.args.at(-1), 'effect');
  code.at(message.at);
  generator.pushVariable(counter);
  if (step === undefined) code.emit('pushInteger', 1);
  else generator.value(step);
  code.at(message.at);
  code.send('+');
  generator.storeVariable(counter, 'effect');
  code.jump('jump', start);
  code.bind(end);
}

function asBlock(node: Expression | undefined): BlockNode {
  assert(node?.kind === 'block', 'only blocks are compiled in place');
  return node;
}
