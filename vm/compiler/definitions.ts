/**
 * Class definitions in parts, `Object << #Foo slots: {…}; package: '…'`, take effect when they are
 * evaluated at the console or filed in, as in Pharo's tools, without anybody sending `install`. So
 * a do-it sends `valueOfDefinition` to the value of each of its statements that has this form; what
 * is no definition answers itself.
 */
import type { Expression, MethodNode, Statement } from './ast.ts';

/** The do-it with its class definitions carried out. */
export function withDefinitions(method: MethodNode): MethodNode {
  return { ...method, statements: method.statements.map(installing) };
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
