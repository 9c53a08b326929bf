/**
 * Reads Tonel, the text format in which Smalltalk classes are kept in files: one class a file.
 *
 *     "class comment"
 *     Class { #name : #Foo, #superclass : #Object, #instVars : [ 'a' ], #category : #Bar }
 *
 *     { #category : #accessing }
 *     Foo class >> a: anObject [
 *         ^ self new a: anObject
 *     ]
 *
 * Also `Trait {…}`, `Extension {…}` (methods for a class defined elsewhere) and, in package.st,
 * `Package {…}`. The header is a STON map: symbols, strings, numbers, true, false, nil, lists,
 * maps.
 *
 * A method's source is its pattern followed by the text between the brackets, so line k of the
 * source is line `line + k - 1` of the file. Brackets in strings, comments and characters do not
 * count; nothing else of the method is looked at: whether it compiles is the compiler's business.
 */
import { placeOf } from '../compiler/error.ts';

export interface TonelMethod {
  className: string;
  /** Whether it belongs to the class side. */
  isMeta: boolean;
  category: string;
  source: string;
  /** 1-based line of the pattern. */
  line: number;
}

export interface TonelClass {
  kind: 'class' | 'trait' | 'extension';
  name: string;
  /** null for a root, and for traits and extensions. */
  superclass: string | null;
  /** #type or #layout as written; 'normal' when neither is. */
  layout: string;
  instVars: string[];
  classVars: string[];
  classInstVars: string[];
  pools: string[];
  /** The composition as written, such as 'TFoo + TBar'; null without traits. */
  traits: string | null;
  classTraits: string | null;
  category: string;
  /** #package if given, else the category up to the first hyphen-separated tag, as written. */
  package: string;
  comment: string;
  methods: TonelMethod[];
}

export interface TonelPackage {
  kind: 'package';
  name: string;
  comment: string;
}

/** A Tonel file that cannot be read; the message names file, line, what was found and wanted. */
export class TonelError extends Error {
  readonly code = 'TONEL_SYNTAX';
  readonly file: string;
  readonly line: number;

  constructor(
    file: string,
    source: string,
    problem: { position: number; found: string; wanted: string },
  ) {
    const { line, column } = placeOf(source, problem.position);
    super(
      `Cannot read "${file}": found ${problem.found} at line ${line} column ${column}, ` +
        `wanted ${problem.wanted}`,
    );
    this.name = 'TonelError';
    this.file = file;
    this.line = line;
  }
}

type Value = string | number | boolean | null | Value[] | Map<string, Value>;

/** Reads one file. `file` is only named in errors. Throws TonelError. */
export function readTonel(source: string, file: string): TonelClass | TonelPackage {
  return new Reader(source, file).unit();
}

class Reader {
  readonly #source: string;
  readonly #file: string;
  #at = 0;
  #depth = 0;

  constructor(source: string, file: string) {
    this.#source = source;
    this.#file = file;
    if (source.startsWith('\uFEFF')) this.#at = 1;
  }

  unit(): TonelClass | TonelPackage {
    this.#blanks();
    const comment = this.#peek() === '"' ? trimLines(this.#quoted('"')) : '';
    this.#blanks();
    const at = this.#at;
    const keyword = this.#match(/\w+/y) ?? '';
    const kind = { Class: 'class', Trait: 'trait', Extension: 'extension', Package: 'package' }[
      keyword
    ];
    if (kind === undefined) {
      throw this.#wanted('"Class", "Trait", "Extension" or "Package"', at);
    }
    this.#blanks();
    const headerAt = this.#at;
    const header = this.#map();
    const name = text(header.get('name'));
    if (name === null) throw this.#wanted('a map with #name', headerAt);
    if (kind === 'package') {
      this.#blanks();
      if (this.#peek() !== '') throw this.#wanted('the end of the file');
      return { kind, name, comment };
    }
    return this.#classFrom(header, { kind: kind as TonelClass['kind'], name, comment, headerAt });
  }

  #classFrom(
    header: Map<string, Value>,
    known: { kind: TonelClass['kind']; name: string; comment: string; headerAt: number },
  ): TonelClass {
    const { kind, name, comment, headerAt } = known;
    const superclass = text(header.get('superclass'));
    if (kind === 'class' && superclass === null) {
      throw this.#wanted('#superclass (#nil for a root)', headerAt);
    }
    const names = (key: string): string[] => this.#names(header.get(key), key, headerAt);
    const slots = (key: string): string[] => names(key).map(slotName);
    const tag = text(header.get('tag'));
    const packageName = text(header.get('package'));
    const category =
      text(header.get('category')) ??
      (packageName === null ? '' : tag === null ? packageName : `${packageName}-${tag}`);
    return {
      kind,
      name,
      superclass: superclass === 'nil' ? null : superclass,
      layout: text(header.get('type')) ?? text(header.get('layout')) ?? 'normal',
      instVars: slots('instVars'),
      classVars: names('classVars'),
      classInstVars: slots('classInstVars'),
      pools: names('pools'),
      traits: text(header.get('traits')),
      classTraits: text(header.get('classTraits')),
      category,
      package: packageName ?? category,
      comment,
      methods: this.#methods(name),
    };
  }

  #methods(className: string): TonelMethod[] {
    const methods: TonelMethod[] = [];
    for (this.#blanks(); this.#peek() !== ''; this.#blanks()) methods.push(this.#method(className));
    return methods;
  }

  #method(className: string): TonelMethod {
    const category = this.#peek() === '{' ? text(this.#map().get('category')) : null;
    this.#blanks();
    const start = this.#at;
    const head = this.#match(
      /([\p{L}_][\p{L}\p{Nd}_]*)(\s+(?:class|classTrait|classSide))?\s*>>\s*/uy,
    );
    if (head === null) throw this.#wanted('a method, such as "Foo >> bar ["');
    const parts = head.replace(/\s*>>\s*$/, '').split(/\s+/);
    if (parts[0] !== className) throw this.#wanted(`a method of ${className}`, start);
    const patternAt = this.#at;
    const open = this.#source.indexOf('[', patternAt);
    if (open < 0) throw this.#wanted('"[" after the method pattern', this.#source.length);
    this.#at = open;
    const body = this.#body();
    const pattern = this.#source.slice(patternAt, open).trimEnd();
    if (pattern === '') throw this.#wanted('a method pattern', patternAt);
    const separator = /^\s/.test(body) || body === '' ? '' : ' ';
    return {
      className,
      isMeta: parts.length > 1,
      category: category ?? 'as yet unclassified',
      source: pattern + separator + body,
      line: placeOf(this.#source, patternAt).line,
    };
  }

  /** The text between the bracket at hand and its partner, without trailing blanks. */
  #body(): string {
    const open = this.#at;
    let depth = 0;
    for (; this.#at < this.#source.length; this.#at += 1) {
      const character = this.#peek();
      if (character === '[') depth += 1;
      else if (character === '$') this.#at += 1;
      else if (character === "'" || character === '"') {
        this.#quoted(character);
        this.#at -= 1;
      } else if (character === ']' && --depth === 0) {
        this.#at += 1;
        return this.#source.slice(open + 1, this.#at - 1).trimEnd();
      }
    }
    throw this.#error(open, '"["', 'a "]" that closes the method');
  }

  #map(): Map<string, Value> {
    this.#expect('{');
    const map = new Map<string, Value>();
    this.#blanks();
    while (!this.#accept('}')) {
      const at = this.#at;
      const key = this.#value();
      if (typeof key !== 'string') throw this.#wanted('a key such as #name', at);
      this.#blanks();
      this.#expect(':');
      map.set(key, this.#value());
      this.#blanks();
      if (this.#peek() !== '}') this.#expect(',');
      this.#blanks();
    }
    return map;
  }

  #value(): Value {
    this.#blanks();
    const character = this.#peek();
    if (character === "'") return this.#quoted("'");
    if (character === '[') return this.#nested(() => this.#list());
    if (character === '{') return this.#nested(() => this.#map());
    if (character === '#') {
      this.#at += 1;
      if (this.#peek() === "'") return this.#quoted("'");
      return (
        this.#match(/[\p{L}\p{Nd}_\-./]+(?::[\p{L}\p{Nd}_]+)*(?::(?=\S))?/uy) ??
        this.#fail('a symbol')
      );
    }
    const number = this.#match(/-?\d+(?:\.\d+)?/y);
    if (number !== null) return Number(number);
    const word = this.#match(/true|false|nil/y);
    if (word === null) return this.#fail('a value');
    return word === 'nil' ? null : word === 'true';
  }

  #list(): Value[] {
    this.#expect('[');
    const list: Value[] = [];
    this.#blanks();
    while (!this.#accept(']')) {
      list.push(this.#value());
      this.#blanks();
      if (this.#peek() !== ']') this.#expect(',');
      this.#blanks();
    }
    return list;
  }

  /** Headers nest two levels; more than a few is no header, and must not exhaust the stack. */
  #nested<Result>(read: () => Result): Result {
    this.#depth += 1;
    if (this.#depth > 50) this.#fail('less nesting');
    const result = read();
    this.#depth -= 1;
    return result;
  }

  #names(value: Value | undefined, key: string, at: number): string[] {
    if (value === undefined || value === null) return [];
    const list =
      typeof value === 'string' ? value.split(/\s+/).filter((each) => each !== '') : value;
    if (Array.isArray(list) && list.every((each) => typeof each === 'string')) return list;
    throw this.#wanted(`#${key} to be a list of names`, at);
  }

  #quoted(quote: string): string {
    const start = this.#at;
    let result = '';
    for (let from = start + 1; ; ) {
      const close = this.#source.indexOf(quote, from);
      if (close < 0) throw this.#error(start, quote, `a closing ${quote}`);
      result += this.#source.slice(from, close);
      this.#at = close + 1;
      if (this.#peek() !== quote) return result;
      result += quote;
      from = close + 2;
    }
  }

  #peek(): string {
    return this.#source[this.#at] ?? '';
  }

  #blanks(): void {
    this.#match(/\s+/y);
  }

  #accept(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at += 1;
    return true;
  }

  #expect(character: string): void {
    if (!this.#accept(character)) this.#fail(`"${character}"`);
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source)?.[0] ?? null;
    if (found !== null) this.#at += found.length;
    return found;
  }

  #fail(wanted: string): never {
    throw this.#wanted(wanted);
  }

  #wanted(wanted: string, position = this.#at): TonelError {
    const rest = this.#source.slice(position, position + 20).split(/\s/)[0] ?? '';
    const found = position >= this.#source.length ? 'the end' : `"${rest}"`;
    return this.#error(position, found, wanted);
  }

  #error(position: number, found: string, wanted: string): TonelError {
    return new TonelError(this.#file, this.#source, { position, found, wanted });
  }
}

function text(value: Value | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

/** A slot may be written with its kind: '#cache => WeakSlot'. */
function slotName(text: string): string {
  return /^#?'?([\p{L}_][\p{L}\p{Nd}_]*)/u.exec(text)?.[1] ?? text;
}

/** A comment's own text: without the line breaks after the opening and before the closing quote. */
function trimLines(comment: string): string {
  return comment.replace(/^\s*\n/, '').trimEnd();
}
