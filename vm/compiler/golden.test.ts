/** Golden bytecodes, one method a construct. `vitest -u` rewrites them: read the diff. */
import { describe, expect, test } from 'vitest';
import { compileDoIt, compileMethod } from './compiler.ts';
import { printMethodSpec } from './print-spec.ts';
import { verifySpec } from './verify-spec.ts';

const scope = { instanceVariables: ['a', 'b'], binding: () => 'found' as const };

function print(source: string): string {
  const spec = compileMethod(source, scope);
  expect(verifySpec(spec, 2)).toBeNull();
  return `\n${printMethodSpec(spec, scope.instanceVariables)}`;
}

describe('compileMethod()', () => {
  test('constants', () => {
    expect(
      print(`foo ^{1. 0. -1. 300. -300. 40000. $a. $ä. 1.5. 3.14s2. 'x'. #y. #(1 $a). nil. true}`),
    ).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 0 (), frame 15
         0 <51>           pushInteger 1
         1 <50>           pushInteger 0
         2 <E1 FF E8 FF>  pushInteger -1
         6 <E1 01 E8 2C>  pushInteger 300
        10 <E1 FE E8 D4>  pushInteger -300
        14 <20>           pushLiteral 40000
        15 <E9 61>        pushCharacter 97
        17 <E9 E4>        pushCharacter 228
        19 <21>           pushLiteral 1.5
        20 <22>           pushLiteral 3.14s2
        21 <23>           pushLiteral 'x'
        22 <24>           pushLiteral #y
        23 <25>           pushLiteral #(1 $a)
        24 <4F>           pushNil
        25 <4D>           pushTrue
        26 <E7 8F>        pushNewArray 15 of popped
        28 <5C>           returnTop
      "
    `);
  });

  test('a large brace, filled one by one', () => {
    const elements = 'a foo. '.repeat(200);
    const spec = compileMethod(`foo ^{${elements}}`, scope);
    expect(verifySpec(spec, 2)).toBeNull();
    expect(spec.frameSize).toBe(4);
    expect(spec.literals[0]).toEqual({ kind: 'binding', name: 'Array' });
  });

  test('returns', () => {
    expect(
      print(`foo a ifTrue: [^self]. a ifFalse: [^true]. b ifNil: [^nil]. ^false`),
    ).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 0 (), frame 2
         0 <00>           pushReceiverVariable a
         1 <C0>           jumpIfFalse to 3
         2 <58>           returnReceiver
         3 <00>           pushReceiverVariable a
         4 <B8>           jumpIfTrue to 6
         5 <59>           returnTrue
         6 <01>           pushReceiverVariable b
         7 <4F>           pushNil
         8 <76>           sendSpecial ==
         9 <C0>           jumpIfFalse to 11
        10 <5B>           returnNil
        11 <5A>           returnFalse
      "
    `);
  });

  test('every kind of variable', () => {
    expect(
      print(`foo: x | t | t := x. a := t. b := a. Global := b. ^t := a := Global := x`),
    ).toMatchInlineSnapshot(`
      "
      foo:, arguments 1, temps 2 (x, t), frame 3
         0 <40>           pushTemp 0 x
         1 <D1>           popIntoTemp 1 t
         2 <41>           pushTemp 1 t
         3 <C8>           popIntoReceiverVariable a
         4 <00>           pushReceiverVariable a
         5 <C9>           popIntoReceiverVariable b
         6 <01>           pushReceiverVariable b
         7 <F1 00>        popIntoLiteralVariable Global
         9 <40>           pushTemp 0 x
        10 <F4 00>        storeLiteralVariable Global
        12 <F3 00>        storeReceiverVariable a
        14 <F5 01>        storeTemp 1 t
        16 <5C>           returnTop
      "
    `);
  });

  test('special and ordinary sends', () => {
    expect(
      print(`foo ^((a + b) foo: 1 bar: 2 baz: (a at: 1)) == self class`),
    ).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 0 (), frame 5
         0 <00>           pushReceiverVariable a
         1 <01>           pushReceiverVariable b
         2 <60>           sendSpecial +
         3 <51>           pushInteger 1
         4 <E8 02>        pushInteger 2
         6 <00>           pushReceiverVariable a
         7 <51>           pushInteger 1
         8 <70>           sendSpecial at:
         9 <EA 03>        send #foo:bar:baz: (3)
        11 <4C>           pushReceiver
        12 <77>           sendSpecial class
        13 <76>           sendSpecial ==
        14 <5C>           returnTop
      "
    `);
  });

  test('super', () => {
    expect(print(`foo: x super foo: x; bar. ^[super foo: 3]`)).toMatchInlineSnapshot(`
      "
      foo:, arguments 1, temps 1 (x), frame 4, super
         0 <4C>           pushReceiver
         1 <53>           duplicate
         2 <40>           pushTemp 0 x
         3 <EB 01>        superSend #foo: (1)
         5 <D8>           pop
         6 <EB 08>        superSend #bar (0)
         8 <D8>           pop
         9 <F9 02 40>     pushFullClosure block 1 (0 copied)
        12 <5C>           returnTop
        block, arguments 0, temps 0 (), frame 2, super
           0 <4C>           pushReceiver
           1 <E8 03>        pushInteger 3
           3 <EB 01>        superSend #foo: (1)
           5 <5E>           blockReturnTop
      "
    `);
  });

  test('a cascade', () => {
    expect(print(`foo ^Set new add: 1; add: 2; yourself`)).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 0 (), frame 3
         0 <10>           pushLiteralVariable Set
         1 <7C>           sendSpecial new
         2 <53>           duplicate
         3 <51>           pushInteger 1
         4 <91>           send #add: (1)
         5 <D8>           pop
         6 <53>           duplicate
         7 <E8 02>        pushInteger 2
         9 <91>           send #add: (1)
        10 <D8>           pop
        11 <82>           send #yourself (0)
        12 <5C>           returnTop
      "
    `);
  });

  test('ifTrue:ifFalse: for value and effect', () => {
    expect(print(`foo a ifTrue: [b foo] ifFalse: [b bar]. ^a ifFalse: [1]`)).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 0 (), frame 1
         0 <00>           pushReceiverVariable a
         1 <C3>           jumpIfFalse to 6
         2 <01>           pushReceiverVariable b
         3 <80>           send #foo (0)
         4 <D8>           pop
         5 <B2>           jump to 9
         6 <01>           pushReceiverVariable b
         7 <81>           send #bar (0)
         8 <D8>           pop
         9 <00>           pushReceiverVariable a
        10 <B9>           jumpIfTrue to 13
        11 <51>           pushInteger 1
        12 <B0>           jump to 14
        13 <4F>           pushNil
        14 <5C>           returnTop
      "
    `);
  });

  test('and: or:', () => {
    expect(print(`foo ^(a and: [b]) or: [a and: [b foo]]`)).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 0 (), frame 1
         0 <00>           pushReceiverVariable a
         1 <C1>           jumpIfFalse to 4
         2 <01>           pushReceiverVariable b
         3 <B0>           jump to 5
         4 <4E>           pushFalse
         5 <BE>           jumpIfTrue to 13
         6 <00>           pushReceiverVariable a
         7 <C2>           jumpIfFalse to 11
         8 <01>           pushReceiverVariable b
         9 <80>           send #foo (0)
        10 <B0>           jump to 12
        11 <4E>           pushFalse
        12 <B0>           jump to 14
        13 <4D>           pushTrue
        14 <5C>           returnTop
      "
    `);
  });

  test('the ifNil: family', () => {
    expect(
      print(
        `foo a ifNil: [b foo]. ^(a ifNil: [1]) foo: (a ifNotNil: [:x | x + x]) bar: (a ifNil: [2] ifNotNil: [:y | y])`,
      ),
    ).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 2 (x, y), frame 6
         0 <00>           pushReceiverVariable a
         1 <4F>           pushNil
         2 <76>           sendSpecial ==
         3 <C2>           jumpIfFalse to 7
         4 <01>           pushReceiverVariable b
         5 <80>           send #foo (0)
         6 <D8>           pop
         7 <00>           pushReceiverVariable a
         8 <53>           duplicate
         9 <4F>           pushNil
        10 <76>           sendSpecial ==
        11 <C1>           jumpIfFalse to 14
        12 <D8>           pop
        13 <51>           pushInteger 1
        14 <00>           pushReceiverVariable a
        15 <F5 00>        storeTemp 0 x
        17 <4F>           pushNil
        18 <76>           sendSpecial ==
        19 <BB>           jumpIfTrue to 24
        20 <40>           pushTemp 0 x
        21 <40>           pushTemp 0 x
        22 <60>           sendSpecial +
        23 <B0>           jump to 25
        24 <4F>           pushNil
        25 <00>           pushReceiverVariable a
        26 <F5 01>        storeTemp 1 y
        28 <4F>           pushNil
        29 <76>           sendSpecial ==
        30 <B9>           jumpIfTrue to 33
        31 <41>           pushTemp 1 y
        32 <B1>           jump to 35
        33 <E8 02>        pushInteger 2
        35 <A1>           send #foo:bar: (2)
        36 <5C>           returnTop
      "
    `);
  });

  test('whileTrue: and whileFalse', () => {
    expect(
      print(`foo | n | [n < 10] whileTrue: [n := n + 1]. ^[n = 0] whileFalse`),
    ).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 1 (n), frame 3
         0 <40>           pushTemp 0 n
         1 <E8 0A>        pushInteger 10
         3 <62>           sendSpecial <
         4 <C7>           jumpIfFalse to 13
         5 <40>           pushTemp 0 n
         6 <51>           pushInteger 1
         7 <60>           sendSpecial +
         8 <D0>           popIntoTemp 0 n
         9 <E1 FF ED F3>  jump to 0
        13 <40>           pushTemp 0 n
        14 <50>           pushInteger 0
        15 <66>           sendSpecial =
        16 <EE 04>        jumpIfTrue to 22
        18 <E1 FF ED F7>  jump to 13
        22 <4F>           pushNil
        23 <5C>           returnTop
      "
    `);
  });

  test('repeat', () => {
    expect(
      print(`foo | n | n := 0. [n := n + 1. n > 3 ifTrue: [^n]] repeat`),
    ).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 1 (n), frame 3
         0 <50>           pushInteger 0
         1 <D0>           popIntoTemp 0 n
         2 <40>           pushTemp 0 n
         3 <51>           pushInteger 1
         4 <60>           sendSpecial +
         5 <D0>           popIntoTemp 0 n
         6 <40>           pushTemp 0 n
         7 <E8 03>        pushInteger 3
         9 <63>           sendSpecial >
        10 <C1>           jumpIfFalse to 13
        11 <40>           pushTemp 0 n
        12 <5C>           returnTop
        13 <E1 FF ED F1>  jump to 2
      "
    `);
  });

  test('to:do:', () => {
    expect(
      print(`foo | n | 1 to: a do: [:i | n := i]. ^1 to: 10 do: [:j | a foo: j]`),
    ).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 4 (n, .limit, i, j), frame 7
         0 <51>           pushInteger 1
         1 <D2>           popIntoTemp 2 i
         2 <00>           pushReceiverVariable a
         3 <D1>           popIntoTemp 1 .limit
         4 <42>           pushTemp 2 i
         5 <41>           pushTemp 1 .limit
         6 <64>           sendSpecial <=
         7 <EF 0A>        jumpIfFalse to 19
         9 <42>           pushTemp 2 i
        10 <D0>           popIntoTemp 0 n
        11 <42>           pushTemp 2 i
        12 <51>           pushInteger 1
        13 <60>           sendSpecial +
        14 <D2>           popIntoTemp 2 i
        15 <E1 FF ED F1>  jump to 4
        19 <51>           pushInteger 1
        20 <F5 03>        storeTemp 3 j
        22 <43>           pushTemp 3 j
        23 <E8 0A>        pushInteger 10
        25 <64>           sendSpecial <=
        26 <EF 0C>        jumpIfFalse to 40
        28 <00>           pushReceiverVariable a
        29 <43>           pushTemp 3 j
        30 <90>           send #foo: (1)
        31 <D8>           pop
        32 <43>           pushTemp 3 j
        33 <51>           pushInteger 1
        34 <60>           sendSpecial +
        35 <D3>           popIntoTemp 3 j
        36 <E1 FF ED EE>  jump to 22
        40 <5C>           returnTop
      "
    `);
  });

  test('to:by:do:', () => {
    expect(
      print(
        `foo 10 to: 1 by: -2 do: [:i | a foo: i]. a to: b by: 0.5 do: [:i | a foo: i]. a to: b by: a do: [:i | ^i]`,
      ),
    ).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 3 (.limit, i, i), frame 7, non-local return
         0 <E8 0A>        pushInteger 10
         2 <D1>           popIntoTemp 1 i
         3 <41>           pushTemp 1 i
         4 <51>           pushInteger 1
         5 <65>           sendSpecial >=
         6 <EF 0F>        jumpIfFalse to 23
         8 <00>           pushReceiverVariable a
         9 <41>           pushTemp 1 i
        10 <90>           send #foo: (1)
        11 <D8>           pop
        12 <41>           pushTemp 1 i
        13 <E1 FF E8 FE>  pushInteger -2
        17 <60>           sendSpecial +
        18 <D1>           popIntoTemp 1 i
        19 <E1 FF ED EC>  jump to 3
        23 <00>           pushReceiverVariable a
        24 <D2>           popIntoTemp 2 i
        25 <01>           pushReceiverVariable b
        26 <D0>           popIntoTemp 0 .limit
        27 <42>           pushTemp 2 i
        28 <40>           pushTemp 0 .limit
        29 <64>           sendSpecial <=
        30 <EF 0C>        jumpIfFalse to 44
        32 <00>           pushReceiverVariable a
        33 <42>           pushTemp 2 i
        34 <90>           send #foo: (1)
        35 <D8>           pop
        36 <42>           pushTemp 2 i
        37 <21>           pushLiteral 0.5
        38 <60>           sendSpecial +
        39 <D2>           popIntoTemp 2 i
        40 <E1 FF ED EF>  jump to 27
        44 <00>           pushReceiverVariable a
        45 <01>           pushReceiverVariable b
        46 <00>           pushReceiverVariable a
        47 <F9 02 00>     pushFullClosure block 1 (0 copied, outer context)
        50 <EA 1B>        send #to:by:do: (3)
        52 <D8>           pop
        53 <58>           returnReceiver
        block, arguments 1, temps 1 (i), frame 2, non-local return
           0 <40>           pushTemp 0 i
           1 <5C>           returnTop
      "
    `);
  });

  test('timesRepeat:', () => {
    expect(print(`foo a timesRepeat: [b foo]`)).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 2 (.limit, .counter), frame 4
         0 <00>           pushReceiverVariable a
         1 <D0>           popIntoTemp 0 .limit
         2 <51>           pushInteger 1
         3 <D1>           popIntoTemp 1 .counter
         4 <41>           pushTemp 1 .counter
         5 <40>           pushTemp 0 .limit
         6 <64>           sendSpecial <=
         7 <EF 0B>        jumpIfFalse to 20
         9 <01>           pushReceiverVariable b
        10 <80>           send #foo (0)
        11 <D8>           pop
        12 <41>           pushTemp 1 .counter
        13 <51>           pushInteger 1
        14 <60>           sendSpecial +
        15 <D1>           popIntoTemp 1 .counter
        16 <E1 FF ED F0>  jump to 4
        20 <58>           returnReceiver
      "
    `);
  });

  test('a clean block', () => {
    expect(print(`foo ^[:x :y | x + y]`)).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 0 (), frame 1
         0 <F9 00 40>     pushFullClosure block 1 (0 copied)
         3 <5C>           returnTop
        block, arguments 2, temps 2 (x, y), frame 4
           0 <40>           pushTemp 0 x
           1 <41>           pushTemp 1 y
           2 <60>           sendSpecial +
           3 <5E>           blockReturnTop
      "
    `);
  });

  test('a copied variable', () => {
    expect(print(`foo: x | t | t := x. ^[[t + x]]`)).toMatchInlineSnapshot(`
      "
      foo:, arguments 1, temps 2 (x, t), frame 4
         0 <40>           pushTemp 0 x
         1 <D1>           popIntoTemp 1 t
         2 <41>           pushTemp 1 t
         3 <40>           pushTemp 0 x
         4 <F9 00 42>     pushFullClosure block 1 (2 copied)
         7 <5C>           returnTop
        block, arguments 0, copied 2, temps 2 (t, x), frame 4
           0 <40>           pushTemp 0 t
           1 <41>           pushTemp 1 x
           2 <F9 00 42>     pushFullClosure block 1 (2 copied)
           5 <5E>           blockReturnTop
          block, arguments 0, copied 2, temps 2 (t, x), frame 4
             0 <40>           pushTemp 0 t
             1 <41>           pushTemp 1 x
             2 <60>           sendSpecial +
             3 <5E>           blockReturnTop
      "
    `);
  });

  test('a shared variable', () => {
    expect(print(`foo | n | n := 0. ^[n := n + 1]`)).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 1 (<n>), frame 2
         0 <E7 01>        pushNewArray 1
         2 <D0>           popIntoTemp 0 <n>
         3 <50>           pushInteger 0
         4 <FD 00 00>     popIntoRemoteTemp 0 in 0 <n>
         7 <40>           pushTemp 0 <n>
         8 <F9 00 41>     pushFullClosure block 1 (1 copied)
        11 <5C>           returnTop
        block, arguments 0, copied 1, temps 1 (<n>), frame 3
           0 <FB 00 00>     pushRemoteTemp 0 in 0 <n>
           3 <51>           pushInteger 1
           4 <60>           sendSpecial +
           5 <FC 00 00>     storeRemoteTemp 0 in 0 <n>
           8 <5E>           blockReturnTop
      "
    `);
  });

  test('a variable written after its capture', () => {
    expect(print(`foo | n | [n] value. n := 1. ^n`)).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 1 (<n>), frame 2
         0 <E7 01>        pushNewArray 1
         2 <D0>           popIntoTemp 0 <n>
         3 <40>           pushTemp 0 <n>
         4 <F9 00 41>     pushFullClosure block 1 (1 copied)
         7 <79>           sendSpecial value
         8 <D8>           pop
         9 <51>           pushInteger 1
        10 <FD 00 00>     popIntoRemoteTemp 0 in 0 <n>
        13 <FB 00 00>     pushRemoteTemp 0 in 0 <n>
        16 <5C>           returnTop
        block, arguments 0, copied 1, temps 1 (<n>), frame 2
           0 <FB 00 00>     pushRemoteTemp 0 in 0 <n>
           3 <5E>           blockReturnTop
      "
    `);
  });

  test('a fresh variable for every iteration', () => {
    expect(
      print(`foo 1 to: 3 do: [:i | | t u | t := i. a add: [t := t + i]. u foo]`),
    ).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 3 (<t>, i, u), frame 6
         0 <51>           pushInteger 1
         1 <D1>           popIntoTemp 1 i
         2 <41>           pushTemp 1 i
         3 <E8 03>        pushInteger 3
         5 <64>           sendSpecial <=
         6 <EF 1C>        jumpIfFalse to 36
         8 <E7 01>        pushNewArray 1
        10 <D0>           popIntoTemp 0 <t>
        11 <4F>           pushNil
        12 <D2>           popIntoTemp 2 u
        13 <41>           pushTemp 1 i
        14 <FD 00 00>     popIntoRemoteTemp 0 in 0 <t>
        17 <00>           pushReceiverVariable a
        18 <40>           pushTemp 0 <t>
        19 <41>           pushTemp 1 i
        20 <F9 00 42>     pushFullClosure block 1 (2 copied)
        23 <91>           send #add: (1)
        24 <D8>           pop
        25 <42>           pushTemp 2 u
        26 <82>           send #foo (0)
        27 <D8>           pop
        28 <41>           pushTemp 1 i
        29 <51>           pushInteger 1
        30 <60>           sendSpecial +
        31 <D1>           popIntoTemp 1 i
        32 <E1 FF ED DE>  jump to 2
        36 <58>           returnReceiver
        block, arguments 0, copied 2, temps 2 (<t>, i), frame 4
           0 <FB 00 00>     pushRemoteTemp 0 in 0 <t>
           3 <41>           pushTemp 1 i
           4 <60>           sendSpecial +
           5 <FC 00 00>     storeRemoteTemp 0 in 0 <t>
           8 <5E>           blockReturnTop
      "
    `);
  });

  test('a captured variable written around a loop', () => {
    expect(print(`foo | t | [a] whileTrue: [b add: [t]. t := 1]`)).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 1 (<t>), frame 3
         0 <E7 01>        pushNewArray 1
         2 <D0>           popIntoTemp 0 <t>
         3 <00>           pushReceiverVariable a
         4 <EF 0F>        jumpIfFalse to 21
         6 <01>           pushReceiverVariable b
         7 <40>           pushTemp 0 <t>
         8 <F9 00 41>     pushFullClosure block 1 (1 copied)
        11 <91>           send #add: (1)
        12 <D8>           pop
        13 <51>           pushInteger 1
        14 <FD 00 00>     popIntoRemoteTemp 0 in 0 <t>
        17 <E1 FF ED EE>  jump to 3
        21 <58>           returnReceiver
        block, arguments 0, copied 1, temps 1 (<t>), frame 2
           0 <FB 00 00>     pushRemoteTemp 0 in 0 <t>
           3 <5E>           blockReturnTop
      "
    `);
  });

  test('a non-local return', () => {
    expect(print(`foo: x x do: [:each | each ifTrue: [^each]]. ^nil`)).toMatchInlineSnapshot(`
      "
      foo:, arguments 1, temps 1 (x), frame 3, non-local return
         0 <40>           pushTemp 0 x
         1 <F9 00 00>     pushFullClosure block 1 (0 copied, outer context)
         4 <7B>           sendSpecial do:
         5 <D8>           pop
         6 <5B>           returnNil
        block, arguments 1, temps 1 (each), frame 2, non-local return
           0 <40>           pushTemp 0 each
           1 <C1>           jumpIfFalse to 4
           2 <40>           pushTemp 0 each
           3 <5C>           returnTop
           4 <4F>           pushNil
           5 <5E>           blockReturnTop
      "
    `);
  });

  test('thisContext in a block', () => {
    expect(print(`foo ^[:x | [thisContext foo: x]]`)).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 0 (), frame 1, thisContext
         0 <F9 00 00>     pushFullClosure block 1 (0 copied, outer context)
         3 <5C>           returnTop
        block, arguments 1, temps 1 (x), frame 2, thisContext
           0 <40>           pushTemp 0 x
           1 <F9 00 01>     pushFullClosure block 1 (1 copied, outer context)
           4 <5E>           blockReturnTop
          block, arguments 0, copied 1, temps 1 (x), frame 3, thisContext
             0 <52>           pushThisContext
             1 <40>           pushTemp 0 x
             2 <90>           send #foo: (1)
             3 <5E>           blockReturnTop
      "
    `);
  });

  test('a primitive', () => {
    expect(print(`at: index <primitive: 60> ^self error`)).toMatchInlineSnapshot(`
      "
      at:, arguments 1, temps 1 (index), frame 2
         0 <F8 3C 00>     callPrimitive 60
         3 <4C>           pushReceiver
         4 <80>           send #error (0)
         5 <5C>           returnTop
      "
    `);
  });

  test('a primitive with an error code', () => {
    expect(
      print(`at: index <primitive: 60 error: code> | t | ^t foo: code`),
    ).toMatchInlineSnapshot(`
      "
      at:, arguments 1, temps 3 (index, t, code), frame 5
         0 <F8 3C 00>     callPrimitive 60
         3 <F5 02>        storeTemp 2 code
         5 <41>           pushTemp 1 t
         6 <42>           pushTemp 2 code
         7 <90>           send #foo: (1)
         8 <5C>           returnTop
      "
    `);
  });

  test('a named primitive whose error code is shared', () => {
    expect(
      print(`foo <primitive: 'primitiveFoo' module: 'Bar' error: code> [code := nil] value. ^code`),
    ).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 2 (<code>, code), frame 3
         0 <F8 75 00>     callPrimitive 117
         3 <F5 01>        storeTemp 1 code
         5 <E7 01>        pushNewArray 1
         7 <D0>           popIntoTemp 0 <code>
         8 <41>           pushTemp 1 code
         9 <FD 00 00>     popIntoRemoteTemp 0 in 0 <code>
        12 <40>           pushTemp 0 <code>
        13 <F9 01 41>     pushFullClosure block 1 (1 copied)
        16 <79>           sendSpecial value
        17 <D8>           pop
        18 <FB 00 00>     pushRemoteTemp 0 in 0 <code>
        21 <5C>           returnTop
        block, arguments 0, copied 1, temps 1 (<code>), frame 2
           0 <4F>           pushNil
           1 <FC 00 00>     storeRemoteTemp 0 in 0 <code>
           4 <5E>           blockReturnTop
      "
    `);
  });

  test('unreachable code', () => {
    expect(print(`foo ^a. b foo. [b] value`)).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 0 (), frame 1
         0 <00>           pushReceiverVariable a
         1 <5C>           returnTop
      "
    `);
  });

  test('empty blocks', () => {
    expect(
      print(`foo a ifTrue: []. ^[:x | ] value: [] value: (a ifTrue: [] ifFalse: [])`),
    ).toMatchInlineSnapshot(`
      "
      foo, arguments 0, temps 0 (), frame 3
         0 <00>           pushReceiverVariable a
         1 <EF 00>        jumpIfFalse to 3
         3 <F9 00 40>     pushFullClosure block 1 (0 copied)
         6 <F9 01 40>     pushFullClosure block 2 (0 copied)
         9 <00>           pushReceiverVariable a
        10 <C1>           jumpIfFalse to 13
        11 <4F>           pushNil
        12 <B0>           jump to 14
        13 <4F>           pushNil
        14 <A2>           send #value:value: (2)
        15 <5C>           returnTop
        block, arguments 1, temps 1 (x), frame 1
           0 <5D>           blockReturnNil
        block, arguments 0, temps 0 (), frame 0
           0 <5D>           blockReturnNil
      "
    `);
  });
});

describe('compileDoIt()', () => {
  test('answers the last value', () => {
    const spec = compileDoIt('| x | x := 3. x + 4', scope);
    expect(`\n${printMethodSpec(spec)}`).toMatchInlineSnapshot(`
      "
      DoIt, arguments 0, temps 1 (x), frame 3
         0 <E8 03>        pushInteger 3
         2 <D0>           popIntoTemp 0 x
         3 <40>           pushTemp 0 x
         4 <E8 04>        pushInteger 4
         6 <60>           sendSpecial +
         7 <5C>           returnTop
      "
    `);
  });

  test('answers nil without statements', () => {
    expect(`\n${printMethodSpec(compileDoIt('', scope))}`).toMatchInlineSnapshot(`
      "
      DoIt, arguments 0, temps 0 (), frame 1
         0 <4F>           pushNil
         1 <5C>           returnTop
      "
    `);
  });
});
