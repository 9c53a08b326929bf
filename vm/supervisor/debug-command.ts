/** The words of the debugger's prompt. Anything else typed there is an expression. */
import type { DebugCommand } from './messages.ts';

/**
 * Parses a line typed at `debug> `. Answers the command, a sentence when its operand is wrong, or
 * null when the line is an expression to evaluate. Frames count from 1, the innermost.
 */
export function parseDebugCommand(line: string): DebugCommand | string | null {
  const match = /^(resume|return|restart|step|inspect|stack|abandon|help)\b\s*(.*)$/s.exec(line);
  if (match === null) return null;
  const [, word = '', operand = ''] = match;
  switch (word) {
    case 'resume':
      return { name: 'resume', source: operand === '' ? null : operand };
    case 'step':
    case 'stack':
    case 'abandon':
      return operand === '' ? { name: word } : null;
    case 'help':
      return (
        'resume [EXPR], return [FRAME [EXPR]], restart [FRAME], step, inspect [FRAME], stack, ' +
        'abandon; anything else is evaluated'
      );
    case 'return': {
      const [, frame = '1', source = ''] = /^(\d*)\s*(.*)$/s.exec(operand) ?? [];
      return {
        name: 'return',
        frame: frame === '' ? 1 : Number(frame),
        source: source === '' ? null : source,
      };
    }
    default:
      return frameCommand(word === 'restart' ? 'restart' : 'inspect', operand);
  }
}

function frameCommand(name: 'restart' | 'inspect', operand: string): DebugCommand | string {
  if (operand === '') return { name, frame: 1 };
  if (/^[1-9]\d{0,5}$/.test(operand)) return { name, frame: Number(operand) };
  return `Cannot ${name}: found "${operand}", wanted the number of a frame in the stack`;
}
