/**
 * For tests: random methods that run (random-source.ts makes ones that merely parse).
 *
 * They are about variables: few names, much nesting, closures that are kept and run later, loops in
 * place and as messages. Loops are bounded by `self fuel`, by small numbers, and by the machines'
 * step limit.
 */
import type { Random } from './random-source.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'];

/** What a place in the program may name. */
interface Visible {
  readonly readable: readonly string[];
  readonly assignable: readonly string[];
}

/** The source of a method without arguments. */
export function randomProgram(random: Random, depth: number): string {
  const temporaries = NAMES.slice(0, 1 + random.below(4));
  const visible = { readable: temporaries, assignable: temporaries };
  return `foo | ${temporaries.join(' ')} | ${statements(random, visible, depth)}`;
}

function statements(random: Random, visible: Visible, depth: number): string {
  const count = 1 + random.below(4);
  return Array.from({ length: count }, () => statement(random, visible, depth)).join('. ');
}

function statement(random: Random, visible: Visible, depth: number): string {
  const text = (): string => expression(random, visible, depth);
  switch (random.below(10)) {
    case 0:
    case 1:
    case 2:
      return assignment(random, visible, depth);
    case 3:
      return `self keep: ${block(random, visible, { depth, parameters: random.below(2) })}`;
    case 4:
    case 5:
      return `self log: (${text()})`;
    case 6:
      return random.below(3) === 0 ? `^ ${text()}` : text();
    default:
      return control(random, visible, depth);
  }
}

function assignment(random: Random, visible: Visible, depth: number): string {
  if (visible.assignable.length === 0) return expression(random, visible, depth);
  return `${random.pick(visible.assignable)} := ${expression(random, visible, depth)}`;
}

function expression(random: Random, visible: Visible, depth: number): string {
  const inner = (): string => `(${expression(random, visible, depth - 1)})`;
  const test = (): string => condition(random, visible, depth);
  if (depth <= 0 || random.below(4) === 0) {
    const useVariable = visible.readable.length > 0 && random.below(4) !== 0;
    return useVariable ? random.pick(visible.readable) : random.pick(['1', '2', 'nil', '-3', '0']);
  }
  switch (random.below(9)) {
    case 0:
    case 1:
      return `${inner()} ${random.pick(['+', '-', '*'])} ${inner()}`;
    case 2:
      return `(${assignment(random, visible, depth - 1)})`;
    case 3:
      return `${block(random, visible, { depth, parameters: 0 })} value`;
    case 4:
      return `${block(random, visible, { depth, parameters: 1 })} value: ${inner()}`;
    case 5:
      return block(random, visible, { depth, parameters: random.below(2) });
    case 6:
      return `{${inner()}. ${inner()}}`;
    case 7:
      return `(${test()}) ${random.pick(['and:', 'or:'])} [${test()}]`;
    default:
      return `(${control(random, visible, depth)})`;
  }
}

function condition(random: Random, visible: Visible, depth: number): string {
  const inner = (): string => `(${expression(random, visible, depth - 1)})`;
  return random.pick([`${inner()} == nil`, 'self fuel', `${inner()} == ${inner()}`]);
}

/**
 * A control structure: compiled in place, or sent because it is a cascade.
 */
function control(random: Random, visible: Visible, depth: number): string {
  if (depth <= 0) return expression(random, visible, 0);
  const body = (parameters: number): string => {
    const text = block(random, visible, { depth, parameters });
    return random.below(6) === 0 ? `(${text})` : text;
  };
  const test = condition(random, visible, depth);
  const value = `(${expression(random, visible, depth - 1)})`;
  switch (random.below(11)) {
    case 0:
      return `(${test}) ifTrue: ${body(0)}`;
    case 1:
      return `(${test}) ifFalse: ${body(0)} ifTrue: ${body(0)}`;
    case 2:
      return `${value} ifNil: ${body(0)}`;
    case 3:
      return `${value} ifNotNil: ${body(1)}`;
    case 4:
      return `${value} ifNil: ${body(0)} ifNotNil: ${body(random.below(2))}`;
    case 5:
      return `[${loopTest(random, visible, depth)}] whileTrue: ${body(0)}`;
    case 6:
      return `1 to: ${random.below(4)} do: ${body(1)}`;
    case 7:
      return `3 to: ${value} by: -2 do: ${body(1)}`;
    case 8:
      return `${random.below(4)} timesRepeat: ${body(0)}`;
    case 9:
      return `(${test}) ifTrue: ${body(0)}; ifFalse: ${body(0)}`;
    default:
      return `[${loopTest(random, visible, depth)}] whileTrue`;
  }
}

/** A loop's receiver: declares variables of its own, keeps closures, ends when the fuel says so. */
function loopTest(random: Random, visible: Visible, depth: number): string {
  const own = random.pick(NAMES);
  const inside = {
    readable: [...visible.readable, own],
    assignable: [...visible.assignable.filter((name) => name !== own), own],
  };
  return `| ${own} | ${statements(random, inside, depth - 2)}. self fuel`;
}

function block(
  random: Random,
  visible: Visible,
  how: { depth: number; parameters: number },
): string {
  const parameter = random.pick(NAMES);
  const temporary = random.pick(NAMES.filter((name) => name !== parameter || how.parameters === 0));
  const declares = random.below(2) === 0;
  const hidden = [...(how.parameters > 0 ? [parameter] : []), ...(declares ? [temporary] : [])];
  const outer = visible.assignable.filter((name) => !hidden.includes(name));
  const inside = {
    readable: [...new Set([...visible.readable, ...hidden])],
    assignable: declares ? [...outer, temporary] : outer,
  };
  const head = how.parameters > 0 ? `:${parameter} | ` : '';
  const body = statements(random, inside, how.depth - 1);
  return `[${head}${declares ? `| ${temporary} | ` : ''}${body}]`;
}
