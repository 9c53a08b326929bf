/** The tour of docs/USING.md, typed from beginning to end: what it shows is what happens. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bootstrapPages, Machine } from './machine.ts';

const PAGE = join(import.meta.dirname, '../../docs/USING.md');
/** A line at the prompt, and the answer on the line below it. */
const TYPED = /^ {4}st> (.*)\n {4}(.*)$/gm;

test('the tour', () => {
  const machine = new Machine(bootstrapPages());
  const typed = [...readFileSync(PAGE, 'utf8').matchAll(TYPED)];
  expect(typed.length).toBeGreaterThan(20);
  const wanted = typed.map(([, source, answer]) => ({ source, answer }));
  const found = typed.map(([, source = '']) => ({ source, answer: machine.evaluate(source).text }));
  expect(found).toEqual(wanted);
});
