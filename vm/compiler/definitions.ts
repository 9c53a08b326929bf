/**
 * Class definitions in parts, `Object << #Foo slots: {…}; package: '…'`, take effect when they are
 * evaluated at the console or filed in, as in Pharo's tools, without anybody sending `install`. So
 * a do-it sends `valueOfDefinition` to the value of each of its statements that has this form; what
 * is no definition answers itself.
 */
import type { Expression, MessageNode, MethodNode, Statement } from './ast.ts';
import { CompileError } from './error.ts';
import type { Scope } from './method-spec.ts';

/** The do-it with its class definitions carried out. */
export function withDefinitions(method: MethodNode): MethodNode {
  return { ...method, statements: method.statements.map(installing) };
}

/** Throws a CompileError when a class is to be defined below one that is not. */
export function checkSuperclasses(method: MethodNode, source: string, scope: Scope): void {
  const defined = new Set<string>();
  for (const statement of method.statements) {
    const first = firstMessage(statement.kind === 'return' ? statement.value : statement);
    if (first === null || !/^(<<|\w*[sS]ubclass:.*)$/.test(first.selector)) continue;
    const [name] = first.args;
    if (name?.kind !== 'literal' || name.value.kind !== 'symbol') continue;
    const { receiver } = first;
    const isKnown = (variable: string): boolean =>
      !/^\p{Lu}/u.test(variable) || defined.has(variable) || scope.binding(variable) === 'found';
    if (receiver.kind === 'variable' && !isKnown(receiver.name)) {
      const suggestions = scope.suggestions?.(receiver.name) ?? [];
      const perhaps = suggestions.map((each) => `"${each}"`).join(' or ');
      throw new CompileError('COMPILE_NAME', source, {
        position: receiver.start,
        found: `the undefined superclass "${receiver.name}"`,
        wanted: perhaps === '' ? 'a class' : `a class, perhaps ${perhaps}`,
      });
    }
    defined.add(name.value.value);
  }
}

/** The innermost message of a chain: `Object subclass: #Foo` of `(Object subclass: #Foo) bar`. */
function firstMessage(expression: Expression): MessageNode | null {
  let found: MessageNode | null = null;
  let node = expression;
  while (node.kind === 'message' || node.kind === 'cascade') {
    const [part] = node.kind === 'message' ? [node] : node.parts;
    if (part !== undefined) {
      found = {
        ...part,
        kind: 'message',
        receiver: node.receiver,
        start: node.start,
        end: node.end,
      };
    }
    node = node.receiver;
  }
  return found;
}

function installing(statement: Statement): Statement {
  if (statement.kind === 'return') {
    return { ...statement, value: installingExpression(statement.value) };
  }
  return installingExpression(statement);
}

function installingExpression(expression: Expression): Expression {
  if (!isDefinition(expression)) return expression;
  const { start, end } = expression;
  return {
    kind: 'message',
    receiver: expression,
    selector: 'valueOfDefinition',
    args: [],
    at: start,
    start,
    end,
  };
}

/** Whether the first message of an expression is `<< #Name`, or `<< Foo class` of a class side. */
function isDefinition(expression: Expression): boolean {
  let node = expression;
  while (node.kind === 'message' || node.kind === 'cascade') {
    if (node.kind === 'message' && node.selector === '<<') return isNamed(node.args[0]);
    node = node.receiver;
  }
  return false;
}

function isNamed(argument: Expression | undefined): boolean {
  if (argument?.kind === 'literal') return argument.value.kind === 'symbol';
  return argument?.kind === 'message' && /^class(Trait)?$/.test(argument.selector);
}
