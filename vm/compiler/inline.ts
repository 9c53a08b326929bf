/**
 * Which messages are compiled in place instead of sent: control structures whose blocks are written
 * out.
 *
 * One of these selectors with anything but literal blocks of the right number of parameters, in a
 * cascade, or to super is an ordinary send. timesRepeat:, to:do: and to:by:do: answer their
 * receiver.
 */
import type { BlockNode, Expression, MessageNode } from './ast.ts';

export type InlineKind =
  | 'if' // ifTrue: ifFalse: ifTrue:ifFalse: ifFalse:ifTrue:
  | 'and'
  | 'or'
  | 'ifNil' // ifNil: ifNotNil: ifNil:ifNotNil: ifNotNil:ifNil:
  | 'while' // whileTrue whileFalse whileTrue: whileFalse:
  | 'repeat'
  | 'toDo' // to:do: to:by:do:
  | 'timesRepeat';

/** What each selector wants its arguments to be: a block with so many parameters, or anything. */
type Want = {
  kind: InlineKind;
  receiverBlock: boolean;
  args: readonly (readonly number[] | null)[];
};

const NONE = [0] as const;
const WANTS: ReadonlyMap<string, Want> = new Map<string, Want>([
  ['ifTrue:', { kind: 'if', receiverBlock: false, args: [NONE] }],
  ['ifFalse:', { kind: 'if', receiverBlock: false, args: [NONE] }],
  ['ifTrue:ifFalse:', { kind: 'if', receiverBlock: false, args: [NONE, NONE] }],
  ['ifFalse:ifTrue:', { kind: 'if', receiverBlock: false, args: [NONE, NONE] }],
  ['and:', { kind: 'and', receiverBlock: false, args: [NONE] }],
  ['or:', { kind: 'or', receiverBlock: false, args: [NONE] }],
  ['ifNil:', { kind: 'ifNil', receiverBlock: false, args: [NONE] }],
  ['ifNotNil:', { kind: 'ifNil', receiverBlock: false, args: [[0, 1]] }],
  ['ifNil:ifNotNil:', { kind: 'ifNil', receiverBlock: false, args: [NONE, [0, 1]] }],
  ['ifNotNil:ifNil:', { kind: 'ifNil', receiverBlock: false, args: [[0, 1], NONE] }],
  ['whileTrue', { kind: 'while', receiverBlock: true, args: [] }],
  ['whileFalse', { kind: 'while', receiverBlock: true, args: [] }],
  ['whileTrue:', { kind: 'while', receiverBlock: true, args: [NONE] }],
  ['whileFalse:', { kind: 'while', receiverBlock: true, args: [NONE] }],
  ['repeat', { kind: 'repeat', receiverBlock: true, args: [] }],
  ['to:do:', { kind: 'toDo', receiverBlock: false, args: [null, [1]] }],
  ['to:by:do:', { kind: 'toDo', receiverBlock: false, args: [null, null, [1]] }],
  ['timesRepeat:', { kind: 'timesRepeat', receiverBlock: false, args: [NONE] }],
]);

/** How `message` is compiled in place, or null when it is sent. */
export function inlineKind(message: MessageNode): InlineKind | null {
  const want = WANTS.get(message.selector);
  if (want === undefined) return null;
  const { receiver, args } = message;
  if (want.receiverBlock && !isBlock(receiver, NONE)) return null;
  if (receiver.kind === 'variable' && receiver.name === 'super') return null;
  const fits = want.args.every((parameters, index) => {
    const arg = args[index];
    return parameters === null || (arg !== undefined && isBlock(arg, parameters));
  });
  if (!fits || (message.selector === 'to:by:do:' && literalStep(args[1]) === null)) return null;
  return want.kind;
}

/** The sign of a literal step other than zero; null for anything else. */
export function literalStep(step: Expression | undefined): 'up' | 'down' | null {
  if (step?.kind !== 'literal') return null;
  const { value } = step;
  if (value.kind === 'integer') return value.value === 0n ? null : value.value > 0n ? 'up' : 'down';
  if (value.kind === 'float') return value.value === 0 ? null : value.value > 0 ? 'up' : 'down';
  if (value.kind !== 'scaled' || value.numerator === 0n) return null;
  return value.numerator > 0n ? 'up' : 'down';
}

function isBlock(node: Expression, parameters: readonly number[]): node is BlockNode {
  return node.kind === 'block' && parameters.includes(node.parameters.length);
}
