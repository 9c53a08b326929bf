/**
 * Table, encoder, decoder, printer and verifier, each against the others and against fixed bytes.
 */
import { describe, expect, test } from 'vitest';
import { BYTECODES, type Bytecode, bytecodesNamed, type Operand } from './bytecodes.ts';
import { decode, decodeAt } from './decode.ts';
import { assemble, encodeInstruction, type Item, type JumpName } from './encode.ts';
import { printBytecodes } from './print.ts';
import { type VerifiableCode, verify } from './verify.ts';

/** Values at the edges of what an operand holds, extensions included. */
function edges(bytecode: Bytecode, operand: Operand): number[] {
  const max =
    operand.byte === 0 && operand.mask !== 0 ? bytecode.last - bytecode.first : operand.mask;
  const values = [operand.bias, operand.bias + max];
  if (operand.extension !== null)
    values.push(max + 1, operand.scale * 255 + max, operand.scale * 256);
  if (operand.extension === 'B') values.push(-1, -operand.scale * 128, -operand.scale * 129 - 1);
  return values;
}

describe('encodeInstruction() and decode()', () => {
  test('every operation comes back with its operands, in every form', () => {
    let compared = 0;
    for (const bytecode of BYTECODES) {
      if (bytecode.name === 'unassigned' || bytecode.name.startsWith('extend')) continue;
      const [first, second] = bytecode.operands.map((operand) => edges(bytecode, operand));
      for (const one of first ?? [0]) {
        for (const two of second ?? [0]) {
          const operands = [one, two].slice(0, bytecode.operands.length);
          const bytes = Uint8Array.from(encodeInstruction(bytecode.name, operands));
          const [instruction, ...rest] = decode(bytes);
          expect(rest).toEqual([]);
          expect([instruction?.name, instruction?.operands]).toEqual([bytecode.name, operands]);
          compared += 1;
        }
      }
    }
    expect(compared).toBeGreaterThan(200);
  });

  test.each([
    ['pushTemp', [11], '4b'],
    ['pushTemp', [12], 'e50c'],
    ['pushInteger', [1], '51'],
    ['pushInteger', [2], 'e802'],
    ['pushInteger', [-1], 'e1ffe8ff'],
    ['pushInteger', [32767], 'e17fe8ff'],
    ['pushInteger', [-32768], 'e180e800'],
    ['pushInteger', [32768], 'e100e180e800'],
    ['pushLiteral', [31], '3f'],
    ['pushLiteral', [32], 'e420'],
    ['pushLiteral', [256], 'e001e400'],
    ['send', [15, 2], 'af'],
    ['send', [16, 2], 'ea82'],
    ['send', [3, 3], 'ea1b'],
    ['send', [32, 8], 'e001e101ea00'],
    ['superSend', [0, 0], 'eb00'],
    ['popIntoReceiverVariable', [8], 'f008'],
    ['pushNewArray', [3, 1], 'e783'],
    ['pushFullClosure', [1, 0x41], 'f90141'],
    ['pushRemoteTemp', [2, 5], 'fb0205'],
    ['callPrimitive', [117, 0], 'f87500'],
  ] as const)('%s %s is <%s>', (name, operands, hex) => {
    expect(Buffer.from(encodeInstruction(name, operands)).toString('hex')).toBe(hex);
  });

  test('an instruction that is cut off is a RangeError', () => {
    for (const bytes of [[0xe5], [0xe0], [0xe0, 1], [0xf9, 1]]) {
      expect(() => decode(Uint8Array.from(bytes))).toThrow(RangeError);
    }
  });

  test('the rows of one name agree on what they do', () => {
    for (const bytecode of BYTECODES) {
      const [first] = bytecodesNamed(bytecode.name);
      for (const operands of [
        [0, 0],
        [1, 1],
        [3, 2],
      ]) {
        expect(bytecode.pops(operands)).toBe(first?.pops(operands));
        expect(bytecode.pushes(operands)).toBe(first?.pushes(operands));
      }
      expect(bytecode.flow).toBe(first?.flow);
    }
  });
});

describe('assemble()', () => {
  const jumpOver = (name: JumpName, count: number): Uint8Array | undefined => {
    const label = { id: 0 };
    const nop: Item = { kind: 'plain', name: 'nop', operands: [], position: 0 };
    const items: Item[] = [
      { kind: 'jump', name, label, position: 0 },
      ...Array<Item>(count).fill(nop),
      { kind: 'label', label },
    ];
    return assemble(items)?.bytecodes;
  };

  test.each([
    ['jump', 0, 0],
    ['jump', 1, 1],
    ['jump', 8, 1],
    ['jump', 9, 2],
    ['jump', 255, 2],
    ['jump', 256, 4],
    ['jump', 32767, 4],
    ['jumpIfTrue', 0, 2],
    ['jumpIfFalse', 8, 1],
    ['jumpIfFalse', 9, 2],
  ] as const)('%s over %i bytes takes %i', (name, count, size) => {
    const bytes = jumpOver(name, count);
    expect(bytes?.length).toBe(count + size);
    if (bytes !== undefined && size > 0) expect(decodeAt(bytes, 0).target).toBe(count + size);
  });

  test('a jump that is too far is null', () => {
    expect(jumpOver('jump', 32768)).toBeUndefined();
  });

  test('a backward jump lands on its label', () => {
    const label = { id: 0 };
    const nops = Array<Item>(300).fill({ kind: 'plain', name: 'nop', operands: [], position: 0 });
    const bytes = assemble([
      { kind: 'label', label },
      ...nops,
      { kind: 'jump', name: 'jump', label, position: 0 },
    ]);
    expect(bytes?.bytecodes.length).toBe(304);
    expect(decodeAt(bytes?.bytecodes ?? new Uint8Array(), 300).target).toBe(0);
  });
});

describe('printBytecodes()', () => {
  test('one line an instruction', () => {
    const code = Uint8Array.from([0x10, 0xe1, 0xff, 0xe8, 0xff, 0x60, 0xb0, 0x5f, 0x5c]);
    expect(printBytecodes(code, { literal: () => 'Foo' })).toBe(
      '   0 <10>           pushLiteralVariable Foo\n' +
        '   1 <E1 FF E8 FF>  pushInteger -1\n' +
        '   5 <60>           sendSpecial +\n' +
        '   6 <B0>           jump to 8\n' +
        '   7 <5F>           nop\n' +
        '   8 <5C>           returnTop\n',
    );
  });
});

describe('verify()', () => {
  const check = (bytes: number[], more: Partial<VerifiableCode> = {}): string | null =>
    verify({
      bytecodes: Uint8Array.from(bytes),
      numArgs: 0,
      numTemps: 1,
      frameSize: 3,
      primitive: 0,
      isBlock: false,
      literalCount: 2,
      instanceVariableCount: 1,
      ...more,
    });

  test('sound code passes', () => {
    expect(check([0x40, 0xc1, 0x51, 0x5c, 0x58])).toBeNull();
    expect(check([0xf8, 60, 0, 0xf5, 0, 0x58], { primitive: 60 })).toBeNull();
    expect(check([0x4f, 0x5e], { isBlock: true })).toBeNull();
  });

  test.each([
    ['no code', [], 'there are no bytecodes'],
    ['an unassigned code', [0x54], 'not a bytecode to run'],
    ['a cut instruction', [0xe5], 'wanted byte 1'],
    ['running off the end', [0x4c], 'at 1: a path leads here, but no instruction starts'],
    ['a jump into an instruction', [0xb0, 0xe5, 0, 0x58], 'at 2: a path leads here'],
    ['an empty stack', [0x5c], 'pops 1 of 0 words'],
    ['different depths at a join', [0x4d, 0xc0, 0x4c, 0x58], 'the stack has 0 or 1 words'],
    ['too deep a stack', [0x4c, 0x4c, 0x4c, 0x5c], 'the frame is too small'],
    ['a literal too many', [0x22, 0x5c], 'literal is 2, wanted less than 2'],
    ['a temporary too many', [0x41, 0x5c], 'index is 1, wanted less than 1'],
    ['an instance variable too many', [0x01, 0x5c], 'index is 1, wanted less than 1'],
    ['an extension for nothing', [0xe0, 1, 0x58], 'does not take extension A'],
    ['a primitive in the middle', [0x4c, 0xf8, 60, 0, 0x5c], 'stands elsewhere than first'],
    ['a block return in a method', [0x5d], 'not in a block'],
    ['a conditional jump backward', [0x4d, 0xe1, 0xff, 0xef, 0xfb, 0x58], 'goes backward'],
  ])('finds %s', (_, bytes, problem) => {
    expect(check(bytes)).toContain(problem);
  });

  test('finds a header and bytecodes that disagree about the primitive', () => {
    expect(check([0x58], { primitive: 60 })).toContain('do not agree');
    expect(check([0xf8, 61, 0, 0x58], { primitive: 60 })).toContain(
      'not the primitive of the header',
    );
    const notLast = check([0xf8, 60, 0, 0xf5, 0, 0x58], { primitive: 60, numTemps: 2 });
    expect(notLast).toContain('not the last temporary');
  });
});
