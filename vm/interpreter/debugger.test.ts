/** The debugger's lower half, on processes that have stopped with an error. */
import { describe, expect, test } from 'vitest';
import { Machine } from '../../test/machine/kernel-machine.ts';
import { Debugger } from './debugger.ts';

const METHODS = [
  'fail: x\n\t| t |\n\tt := x + 1.\n\tt := self stop: Processor activeProcess context: nil text: #bad.\n' +
    '\tLog add: t.\n\t^ x + t',
  'outer: x | r | r := self fail: x. Log add: r. ^ r * 2',
  'guarded: x ^ [ self fail: x ] ensure: [ Log add: #ensured ]',
  'failQuietly: x self stop: Processor activeProcess context: nil text: #bad. ^ x negated',
  'negated ^ 0 - self',
  'guardless: x | r | r := self failQuietly: x. Log add: #back. ^ r',
  'block: x | sum | sum := 0. #(1 2) do: [ :e | sum := sum + e. self fail: sum ]. ^ sum',
];

function stopped(source: string): { m: Machine; d: Debugger; process: number } {
  const m = new Machine();
  m.define('Object', ...METHODS);
  m.define('Array', 'do: aBlock 1 to: self size do: [ :i | aBlock value: (self at: i) ]');
  m.start(source);
  m.interpreter.run();
  const process = m.stops[0]?.process ?? 0;
  expect(process).not.toBe(0);
  return { m, d: new Debugger(m.interpreter), process };
}

function run(m: Machine): unknown {
  m.interpreter.run();
  const done = m.finished.at(-1);
  return done === undefined ? 'nothing' : m.plain(done.value);
}

describe('Debugger.frames()', () => {
  test('names activations and the lines they are in', () => {
    const { d, process } = stopped('3 outer: 4');
    expect(d.frames(process).map(({ description, line }) => [description, line])).toEqual([
      ['SmallInteger(Object)>>fail:', 4],
      ['SmallInteger(Object)>>outer:', 1],
      ['UndefinedObject>>DoIt', 1],
    ]);
  });

  test('shows blocks with their methods', () => {
    const { d, process } = stopped('3 block: 4');
    expect(d.frames(process).map(({ description }) => description)).toContain(
      '[] in SmallInteger(Object)>>block:',
    );
  });
});

describe('Debugger.variables()', () => {
  test('gives self, arguments and temporaries', () => {
    const { m, d, process } = stopped('3 outer: 4');
    const context = d.topContext(process);
    const seen = d.variables(context).map(({ name, value }) => [name, m.plain(value)]);
    expect(seen).toEqual([
      ['self', 3],
      ['x', 4],
      ['t', 5],
    ]);
  });

  test('opens temp vectors', () => {
    const { m, d, process } = stopped('3 block: 4');
    const frame = d.frames(process).find(({ description }) => description.endsWith('>block:'));
    const seen = d.variables(frame!.context).map(({ name, value }) => [name, m.plain(value)]);
    expect(seen).toContainEqual(['sum', 1]);
  });
});

describe('Debugger', () => {
  test('proceed() gives the send a value', () => {
    const { m, d, process } = stopped('3 outer: 4');
    d.proceed(process, 201);
    expect(run(m)).toBe(208);
    expect(m.log()).toEqual([100, 104]);
  });

  test('restart() runs an activation again, with its arguments', () => {
    const { m, d, process } = stopped('3 outer: 4');
    d.restart(process, d.topContext(process));
    m.interpreter.run();
    expect(m.stops.length).toBe(2);
    d.proceed(process, 3);
    expect(run(m)).toBe(10);
  });

  test('returnFrom() ends an activation with a value', () => {
    const { m, d, process } = stopped('3 outer: 4');
    d.returnFrom(process, d.topContext(process), 41);
    expect(run(m)).toBe(40);
    expect(m.log()).toEqual([20]);
  });

  test('returnFrom() runs the ensure: blocks it leaves', () => {
    const { m, d, process } = stopped('3 guarded: 4');
    const frame = d.frames(process).find(({ description }) => description.endsWith('guarded:'));
    d.returnFrom(process, frame!.context, 41);
    expect(run(m)).toBe(20);
    expect(m.log()).toEqual(['#ensured']);
  });

  test('terminate() drops a process whose class knows no terminate', () => {
    const { m, d, process } = stopped('3 outer: 4');
    d.terminate(process);
    expect(d.frames(process)).toEqual([]);
    expect(m.evaluate('3 + 4')).toBe(7);
  });

  test('step() runs one send and stops after it', () => {
    const { d, process } = stopped('3 outer: 4');
    const context = d.topContext(process);
    expect(d.frames(process)[0]?.line).toBe(4);
    d.step(process);
    expect(d.topContext(process)).toBe(context);
    expect(d.frames(process)[0]?.line).toBe(5);
  });

  test('step() past the end of an activation stops in its sender', () => {
    const { m, d, process } = stopped('3 guardless: 4');
    const sender = d.frames(process)[1]!.context;
    for (let i = 0; i < 10 && d.topContext(process) !== sender; i++) d.step(process);
    expect(d.topContext(process)).toBe(sender);
    d.step(process);
    expect(d.topContext(process)).toBe(sender);
    expect(m.log()).toEqual(['#back']);
  });
});
