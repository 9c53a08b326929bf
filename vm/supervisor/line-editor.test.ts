import { describe, expect, test } from 'vitest';
import { LineEditor } from './line-editor.ts';

/** A terminal that understands what the editor may send, to see what a person would. */
class Screen {
  row: string[] = [];
  column = 0;
  readonly rows: string[] = [];
  write(text: string): void {
    const cells = text.replaceAll('\x1b[K', '\u0000');
    for (const character of cells) {
      if (character === '\b') this.column--;
      else if (character === '\u0000') this.row.length = this.column;
      else if (character === '\n') {
        this.rows.push(this.row.join(''));
        this.row = [];
        this.column = 0;
      } else if (character === '\r') this.column = 0;
      else this.row[this.column++] = character;
    }
  }
}

function type(...inputs: string[]): { screen: Screen; lines: string[]; events: string[] } {
  const screen = new Screen();
  const editor = new LineEditor((text) => screen.write(text));
  const events = inputs.flatMap((input) => editor.feed(new TextEncoder().encode(input)));
  return {
    screen,
    lines: events.flatMap((event) => (event.kind === 'line' ? [event.text] : [])),
    events: events.map((event) => event.kind),
  };
}

describe('LineEditor.feed()', () => {
  test('answers a line at return and shows what was typed', () => {
    const { screen, lines } = type('3 + 4\r');
    expect(lines).toEqual(['3 + 4']);
    expect(screen.rows).toEqual(['3 + 4']);
  });
  test('takes return, line feed, and both as one end of line', () => {
    expect(type('a\nb\rc\r\nd\n').lines).toEqual(['a', 'b', 'c', 'd']);
  });
  test('inserts in the middle after cursor keys', () => {
    const { screen, lines } = type('ac\x1b[Db', '\r');
    expect(lines).toEqual(['abc']);
    expect(screen.rows).toEqual(['abc']);
  });
  test('deletes back, forward, by word and to either end', () => {
    expect(type('abx\x7fc\r').lines).toEqual(['abc']);
    expect(type('xabc\x01\x1b[3~\r').lines).toEqual(['abc']);
    expect(type('one two  \x17three\r').lines).toEqual(['one three']);
    expect(type('abcdef\x1b[D\x1b[D\x1b[D\x0b\r').lines).toEqual(['abc']);
    expect(type('garbage\x15abc\r').lines).toEqual(['abc']);
  });
  test('recalls history and keeps the line that was being typed', () => {
    const { lines, screen } = type('one\rtwo\rdraft\x1b[A\x1b[A\x1b[B\x1b[B\r');
    expect(lines).toEqual(['one', 'two', 'draft']);
    expect(screen.rows.at(-1)).toBe('draft');
    expect(type('one\r\x1b[A\r').lines).toEqual(['one', 'one']);
  });
  test('puts characters together that arrive in pieces', () => {
    const screen = new Screen();
    const editor = new LineEditor((text) => screen.write(text));
    const bytes = new TextEncoder().encode('é\r');
    expect(editor.feed(bytes.subarray(0, 1))).toEqual([]);
    expect(editor.feed(bytes.subarray(1))).toEqual([{ kind: 'line', text: 'é' }]);
  });
  test('tells Ctrl-C and Ctrl-D from text', () => {
    expect(type('half\x03whole\r')).toMatchObject({
      lines: ['whole'],
      events: ['interrupt', 'line'],
    });
    expect(type('\x04').events).toEqual(['end']);
    expect(type('a\x04\r').lines).toEqual(['a']);
  });
  test('swallows unknown escape sequences', () => {
    expect(type('a\x1b[24~b\x1bOPc\r').lines).toEqual(['abc']);
  });
});
