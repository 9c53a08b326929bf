/**
 * The syntax tree: what the parser builds, what analysis and generation read. Plain immutable data.
 *
 * `start` and `end` are offsets in the source, end exclusive. A message's `at` is where its
 * selector starts, which is where an error in a send is shown. Trees are at most NESTING_MAX deep,
 * except along receivers (`a b c d …` nests to the left without limit): whoever walks receivers
 * does so in a loop.
 */
import type { Literal } from './method-spec.ts';

/** Deepest nesting of parentheses, blocks, braces, literal arrays and assignments in one method. */
export const NESTING_MAX = 200;

export interface LiteralNode {
  readonly kind: 'literal';
  readonly value: Literal;
  readonly start: number;
  readonly end: number;
}

export interface VariableNode {
  readonly kind: 'variable';
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

export interface AssignmentNode {
  readonly kind: 'assignment';
  readonly variable: VariableNode;
  readonly value: Expression;
  readonly start: number;
  readonly end: number;
}

export interface MessagePart {
  readonly selector: string;
  readonly args: readonly Expression[];
  readonly at: number;
}

export interface MessageNode extends MessagePart {
  readonly kind: 'message';
  readonly receiver: Expression;
  readonly start: number;
  readonly end: number;
}

/** At least two messages to one receiver. */
export interface CascadeNode {
  readonly kind: 'cascade';
  readonly receiver: Expression;
  readonly parts: readonly MessagePart[];
  readonly start: number;
  readonly end: number;
}

/** `{ a. b }` */
export interface BraceNode {
  readonly kind: 'brace';
  readonly elements: readonly Expression[];
  readonly start: number;
  readonly end: number;
}

export interface BlockNode {
  readonly kind: 'block';
  readonly parameters: readonly VariableNode[];
  readonly temporaries: readonly VariableNode[];
  readonly statements: readonly Statement[];
  readonly start: number;
  readonly end: number;
}

export type Expression =
  | LiteralNode
  | VariableNode
  | AssignmentNode
  | MessageNode
  | CascadeNode
  | BraceNode
  | BlockNode;

export interface ReturnNode {
  readonly kind: 'return';
  readonly value: Expression;
  readonly start: number;
  readonly end: number;
}

export type Statement = Expression | ReturnNode;

export interface PragmaNode {
  readonly selector: string;
  readonly args: readonly Literal[];
  /** Start and end of each argument. */
  readonly places: readonly (readonly [start: number, end: number])[];
  readonly start: number;
  readonly end: number;
}

/** What <primitive: …> says. Either a number, or a name with perhaps a module. */
export interface PrimitiveNode {
  readonly number: number;
  readonly name: string | null;
  readonly module: string | null;
  readonly error: VariableNode | null;
  readonly start: number;
  readonly end: number;
}

/** A method; a do-it is one with the selector DoIt and no parameters. */
export interface MethodNode {
  readonly kind: 'method';
  readonly selector: string;
  /** Where the pattern ends, exclusive; 0 for a do-it. */
  readonly patternEnd: number;
  readonly parameters: readonly VariableNode[];
  readonly temporaries: readonly VariableNode[];
  readonly statements: readonly Statement[];
  readonly pragmas: readonly PragmaNode[];
  readonly primitive: PrimitiveNode | null;
  readonly start: number;
  readonly end: number;
}
