/**
 * From tokens to the syntax tree, by recursive descent.
 *
 *     method      pattern pragma* [ '|' name* '|' ] pragma* statements
 *     statements  [ statement ( '.'+ statement )* '.'* ]
 *     statement   [ '^' ] expression
 *     expression  name ( ':=' | '_' ) expression | cascade
 *     cascade     keyword-message ( ';' message )*
 *
 * Recursion is bounded: every construct that nests counts, and NESTING_MAX levels are enough for
 * any method a person writes. So no source text, however hostile, can exhaust the JavaScript stack.
 */
import {
  type BlockNode,
  type Expression,
  type MessagePart,
  type MethodNode,
  NESTING_MAX,
  type PragmaNode,
  type PrimitiveNode,
  type Statement,
  type VariableNode,
} from './ast.ts';
import type { CompileError } from './error.ts';
import { parseArray, parseBytes } from './literals.ts';
import type { Literal } from './method-spec.ts';
import { parsePragma } from './pragmas.ts';
import { Scanner, type Token, type TokenKind } from './scanner.ts';

/** Parses a method: pattern and body. Throws CompileError. */
export function parseMethod(source: string): MethodNode {
  return new Parser(source).method();
}

/** Parses statements, with temporaries in front, as the body of a method called DoIt. */
export function parseDoIt(source: string): MethodNode {
  return new Parser(source).doIt();
}

/** As `parseMethod` or `parseDoIt`, and the comments: pairs of start and end offset, ascending. */
export function parseWithComments(
  source: string,
  kind: 'method' | 'doIt',
): { node: MethodNode; comments: readonly number[] } {
  const parser = new Parser(source);
  const node = kind === 'method' ? parser.method() : parser.doIt();
  return { node, comments: parser.comments };
}

type Pattern = { selector: string; parameters: VariableNode[] };
type Body = { temporaries: VariableNode[]; statements: Statement[] };

export class Parser {
  readonly #scanner: Scanner;
  #token: Token;
  #previousEnd = 0;
  #nesting = 0;

  constructor(source: string) {
    this.#scanner = new Scanner(source);
    this.#token = this.#scanner.next();
  }

  get comments(): readonly number[] {
    return this.#scanner.comments;
  }

  get token(): Token {
    return this.#token;
  }

  get previousEnd(): number {
    return this.#previousEnd;
  }

  method(): MethodNode {
    const pattern = this.#pattern();
    return this.#methodBody(pattern, 0);
  }

  doIt(): MethodNode {
    return this.#methodBody({ selector: 'DoIt', parameters: [] }, 0);
  }

  /** Consumes the current token and answers it. */
  advance(): Token {
    const taken = this.#token;
    this.#previousEnd = taken.end;
    this.#token = this.#scanner.next();
    return taken;
  }

  is(kind: TokenKind, text?: string): boolean {
    return this.#token.kind === kind && (text === undefined || this.#token.text === text);
  }

  /** Consumes the token if it is that one. */
  accept(kind: TokenKind, text?: string): boolean {
    if (!this.is(kind, text)) return false;
    this.advance();
    return true;
  }

  /** Consumes one character of the operator token at hand: `|` of `||`, `>` of `><`. */
  acceptOperatorCharacter(character: string): boolean {
    const token = this.#token;
    if (token.kind !== 'binary' || !token.text.startsWith(character)) return false;
    this.#previousEnd = token.start + 1;
    this.#scanner.seek(token.start + 1);
    this.#token = this.#scanner.next();
    return true;
  }

  /** Turns the `-` at hand into the sign of the number right behind it, if there is one. */
  acceptSign(): void {
    const { kind, text, start, end } = this.#token;
    if (kind !== 'binary' || text !== '-' || !/[0-9]/.test(this.#scanner.source[end] ?? '')) return;
    this.#token = this.#scanner.negativeNumber(start);
  }

  /** The error for the token at hand. */
  wanted(wanted: string): CompileError {
    const token = this.#token;
    const found =
      token.kind === 'end'
        ? 'the end'
        : token.text.length > 40
          ? `"${token.text.slice(0, 40)}…"`
          : `"${token.text}"`;
    return this.#scanner.error('COMPILE_SYNTAX', token.start, found, wanted);
  }

  error(position: number, found: string, wanted: string): CompileError {
    return this.#scanner.error('COMPILE_SYNTAX', position, found, wanted);
  }

  /** Runs `parse` one level deeper. */
  nested<Result>(parse: () => Result): Result {
    this.#nesting += 1;
    if (this.#nesting > NESTING_MAX) {
      const wanted = `at most ${NESTING_MAX}`;
      const found = `more than ${NESTING_MAX} levels of nesting`;
      throw this.#scanner.error('COMPILE_LIMIT', this.#token.start, found, wanted);
    }
    const result = parse();
    this.#nesting -= 1;
    return result;
  }

  name(wanted: string): VariableNode {
    if (!this.is('identifier')) throw this.wanted(wanted);
    const { text, start, end } = this.advance();
    return { kind: 'variable', name: text, start, end };
  }

  #pattern(): Pattern {
    if (this.is('identifier')) return { selector: this.advance().text, parameters: [] };
    if (this.is('binary')) {
      const selector = this.advance().text;
      return { selector, parameters: [this.name('the name of the argument')] };
    }
    if (!this.is('keyword')) throw this.wanted('a method pattern');
    let selector = '';
    const parameters: VariableNode[] = [];
    while (this.is('keyword')) {
      selector += this.advance().text;
      parameters.push(this.name('the name of the argument'));
    }
    return { selector, parameters };
  }

  #methodBody(pattern: Pattern, start: number): MethodNode {
    const patternEnd = this.#previousEnd;
    const pragmas: PragmaNode[] = [];
    let primitive: PrimitiveNode | null = null;
    const readPragmas = (): void => {
      while (this.is('binary') && this.#token.text.startsWith('<')) {
        const pragma = parsePragma(this);
        if ('selector' in pragma) pragmas.push(pragma);
        else if (primitive === null) primitive = pragma;
        else throw this.error(pragma.start, 'a second primitive', 'one primitive a method');
      }
    };
    readPragmas();
    const temporaries = this.#temporaries();
    readPragmas();
    const statements = this.#statements();
    if (!this.is('end')) throw this.wanted('the end');
    const { selector, parameters } = pattern;
    const end = this.#previousEnd;
    const node = {
      selector,
      patternEnd,
      parameters,
      temporaries,
      statements,
      pragmas,
      primitive,
      start,
      end,
    };
    return { kind: 'method', ...node };
  }

  #body(): Body {
    const temporaries = this.#temporaries();
    return { temporaries, statements: this.#statements() };
  }

  #temporaries(): VariableNode[] {
    const names: VariableNode[] = [];
    while (this.acceptOperatorCharacter('|')) {
      while (this.is('identifier')) names.push(this.name('a name'));
      if (!this.acceptOperatorCharacter('|')) throw this.wanted('a variable name or "|"');
    }
    return names;
  }

  /** Up to something that cannot begin a statement; whoever calls says what should be there. */
  #statements(): Statement[] {
    const statements: Statement[] = [];
    while (this.accept('special', '.'));
    while (!this.#atClosing()) {
      statements.push(this.#statement());
      if (!this.accept('special', '.')) {
        if (!this.#atClosing()) throw this.wanted('a message, "." or the end');
        break;
      }
      while (this.accept('special', '.'));
    }
    return statements;
  }

  #atClosing(): boolean {
    return this.is('end') || (this.is('special') && ')]}'.includes(this.#token.text));
  }

  #statement(): Statement {
    const start = this.#token.start;
    if (!this.accept('special', '^')) return this.expression();
    const value = this.expression();
    return { kind: 'return', value, start, end: value.end };
  }

  expression(): Expression {
    const token = this.#token;
    if (token.kind !== 'identifier') return this.#cascade(this.#primary());
    const variable = this.name('an expression');
    if (!this.accept('assign') && !this.#acceptUnderscore()) return this.#cascade(variable);
    const value = this.nested(() => this.expression());
    return { kind: 'assignment', variable, value, start: variable.start, end: value.end };
  }

  /** `a _ 3`, how old Squeak code assigns; a message called `_` can only be performed. */
  #acceptUnderscore(): boolean {
    return this.accept('identifier', '_');
  }

  #cascade(first: Expression): Expression {
    const expression = this.#keywordMessage(this.#binaryMessages(this.#unaryMessages(first)));
    if (!this.is('special', ';')) return expression;
    if (expression.kind !== 'message' || this.#previousEnd !== expression.end) {
      throw this.wanted('a message before the cascade');
    }
    const { receiver, selector, args, at } = expression;
    const parts: MessagePart[] = [{ selector, args, at }];
    while (this.accept('special', ';')) parts.push(this.#cascadePart());
    return { kind: 'cascade', receiver, parts, start: expression.start, end: this.#previousEnd };
  }

  #cascadePart(): MessagePart {
    const at = this.#token.start;
    if (this.is('identifier')) return { selector: this.advance().text, args: [], at };
    if (this.is('binary')) return this.#binaryPart();
    if (this.is('keyword')) return this.#keywordPart();
    throw this.wanted('a message');
  }

  #unaryMessages(first: Expression): Expression {
    let receiver = first;
    while (this.is('identifier')) {
      const { text, start, end } = this.advance();
      const part = { selector: text, args: [], at: start };
      receiver = { kind: 'message', receiver, ...part, start: receiver.start, end };
    }
    return receiver;
  }

  #binaryMessages(first: Expression): Expression {
    let receiver = first;
    while (this.is('binary')) {
      const part = this.#binaryPart();
      const end = this.#previousEnd;
      receiver = { kind: 'message', receiver, ...part, start: receiver.start, end };
    }
    return receiver;
  }

  #binaryPart(): MessagePart {
    const { text, start } = this.advance();
    return { selector: text, args: [this.#unaryMessages(this.#primary())], at: start };
  }

  #keywordMessage(receiver: Expression): Expression {
    if (!this.is('keyword')) return receiver;
    const part = this.#keywordPart();
    const end = this.#previousEnd;
    return { kind: 'message', receiver, ...part, start: receiver.start, end };
  }

  #keywordPart(): MessagePart {
    const at = this.#token.start;
    let selector = '';
    const args: Expression[] = [];
    while (this.is('keyword')) {
      selector += this.advance().text;
      args.push(this.#binaryMessages(this.#unaryMessages(this.#primary())));
    }
    return { selector, args, at };
  }

  #primary(): Expression {
    this.acceptSign();
    const token = this.#token;
    const start = token.start;
    if (token.kind === 'identifier') return this.name('an expression');
    if (token.kind === 'literal' && token.value !== null) {
      this.advance();
      return { kind: 'literal', value: token.value, start, end: token.end };
    }
    if (token.kind === 'arrayStart') return this.#literalFrom(start, () => parseArray(this));
    if (token.kind === 'bytesStart') return this.#literalFrom(start, () => parseBytes(this));
    if (token.kind === 'special' && token.text === '(') return this.nested(() => this.#parens());
    if (token.kind === 'special' && token.text === '[') return this.nested(() => this.#block());
    if (token.kind === 'special' && token.text === '{') return this.nested(() => this.#brace());
    throw this.wanted('an expression');
  }

  #literalFrom(start: number, parse: () => Literal): Expression {
    const value = parse();
    return { kind: 'literal', value, start, end: this.#previousEnd };
  }

  #parens(): Expression {
    this.advance();
    const inner = this.expression();
    if (!this.accept('special', ')')) throw this.wanted('")" or an operator');
    return inner;
  }

  #brace(): Expression {
    const start = this.advance().start;
    const elements: Expression[] = [];
    while (this.accept('special', '.'));
    while (!this.is('special', '}')) {
      elements.push(this.expression());
      if (!this.is('special', '}') && !this.accept('special', '.')) throw this.wanted('"." or "}"');
      while (this.accept('special', '.'));
    }
    this.advance();
    return { kind: 'brace', elements, start, end: this.#previousEnd };
  }

  #block(): BlockNode {
    const start = this.advance().start;
    const parameters: VariableNode[] = [];
    while (this.accept('colon')) parameters.push(this.name('the name of a block argument'));
    if (parameters.length > 0 && !this.is('special', ']') && !this.acceptOperatorCharacter('|')) {
      throw this.wanted('"|" after the block arguments');
    }
    const { temporaries, statements } = this.#body();
    if (!this.accept('special', ']')) throw this.wanted('"]"');
    return { kind: 'block', parameters, temporaries, statements, start, end: this.#previousEnd };
  }
}
