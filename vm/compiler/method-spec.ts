/**
 * What the compiler yields: plain data, no heap. A builder turns it into CompiledMethods.
 *
 * Layout of `literals`: those the bytecodes name, then for a method its selector and the binding of
 * its class; for a block a place for the outer code (nil here, filled by the builder). The header
 * word in front of them is the builder's.
 */
export type Literal =
  | { kind: 'integer'; value: bigint }
  | { kind: 'float'; value: number }
  | { kind: 'scaled'; numerator: bigint; denominator: bigint; scale: number }
  | { kind: 'character'; codePoint: number }
  | { kind: 'string'; value: string }
  | { kind: 'symbol'; value: string }
  | { kind: 'array'; elements: Literal[] }
  | { kind: 'bytes'; value: Uint8Array }
  | { kind: 'nil' }
  | { kind: 'true' }
  | { kind: 'false' }
  /** An Association-like object: a global, class variable, pool variable, or an undeclared name. */
  | { kind: 'binding'; name: string }
  | { kind: 'block'; method: MethodSpec }
  /** The binding of the method's class: always a method's last literal, where super sends look. */
  | { kind: 'selfMethodClass' };

/** A compiled method or block. */
export interface MethodSpec {
  /** For a block, the selector of the method around it. */
  selector: string;
  numArgs: number;
  /** Arguments, for a block then copied values, then temporaries. */
  numTemps: number;
  /** numTemps and the deepest operand stack, in words. */
  frameSize: number;
  /** 0 = none; otherwise the bytecodes start with callPrimitive. */
  primitive: number;
  /** Index of the temporary that <primitive: n error: name> declares; always the last one. */
  primitiveErrorTemp: number | null;
  literals: Literal[];
  bytecodes: Uint8Array;
  /** All but the primitive. */
  pragmas: { selector: string; args: Literal[] }[];
  isBlock: boolean;
  /** Values a closure of this block copies; 0 for a method. */
  numCopied: number;
  /** Pairs (0-based bytecode offset, source offset), ascending by bytecode offset. */
  sourceMap: Int32Array;
  /**
   * By index in the frame. `<a b>` is the temp vector that holds a and b, in that order; a name
   * that starts with a dot is the compiler's own.
   */
  tempNames: string[];
  /** A closure within (or this block itself) contains ^. */
  hasNonLocalReturn: boolean;
  /** thisContext occurs here or in a block within; likewise super. */
  usesThisContext: boolean;
  usesSuper: boolean;
}

/** What the names outside a method mean; the compiler asks for nothing else. */
export interface Scope {
  readonly instanceVariables: readonly string[];
  /** For globals, class variables, pool variables. */
  binding(name: string): 'found' | 'undeclared';
  /** Whether no variable may be called so, besides self, super, nil, true, false, thisContext. */
  isReserved?(name: string): boolean;
  /** Known names that resemble an unknown one, best first. */
  suggestions?(name: string): string[];
}

/** Something legal that a person should look at. */
export interface CompileWarning {
  kind: 'undeclared' | 'shadowed';
  name: string;
  message: string;
  position: number;
  line: number;
  column: number;
}

export interface CompileOptions {
  onWarning?: (warning: CompileWarning) => void;
}

export interface DoItOptions extends CompileOptions {
  /** The receiver's instance variables, in order; in place of the scope's. */
  receiverVariables?: readonly string[];
  /** Let an assignment to an unknown name compile, through an undeclared binding. */
  assignUndeclared?: boolean;
}

/** Limits of the format: header fields, and the largest Context that Squeak's class knows. */
export const ARGUMENTS_MAX = 15;
export const TEMPS_MAX = 63;
export const FRAME_WORDS_MAX = 56;
export const LITERALS_MAX = 32767;
export const VECTOR_VARIABLES_MAX = 127;
