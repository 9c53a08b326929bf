/**
 * Processes, semaphores, the timer and interrupts, on a kernel of a few methods and a clock that
 * stands still unless the test moves it.
 */
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import { Machine } from '../../test/machine/kernel-machine.ts';
import { debug } from '../base/debug.ts';
import { CONTROL, INTERRUPT } from '../objects/layout.ts';
import { PROCESS, SPECIAL } from '../objects/well-known.ts';
import { CommitRequests } from './commit-requests.ts';

const EPOCH_MICROSECONDS = (69 * 365 + 17) * 86_400 * 1_000_000;

afterEach(() => {
  debug.gcStress = false;
  debug.unwindAtEveryPoll = false;
});

const STRESSES: readonly (readonly [string, Partial<typeof debug>, { stackWords?: number }])[] = [
  ['as it is', {}, {}],
  ['under stress', { gcStress: true, unwindAtEveryPoll: true }, { stackWords: 200 }],
];

describe.each(STRESSES)('processes, %s', (_name, switches, options) => {
  function machine(): Machine {
    const made = new Machine(options);
    Object.assign(debug, switches);
    return made;
  }

  test('a process of a higher priority preempts at once, one of a lower waits', () => {
    const m = machine();
    m.evaluate(
      '[ Log add: #low ] forkAt: 30. Log add: #here. [ Log add: #high ] forkAt: 50. Log add: #end',
    );
    expect(m.log()).toEqual(['#here', '#high', '#end', '#low']);
  });

  test('yield lets an equal run', () => {
    const m = machine();
    m.evaluate('[ Log add: 1. Processor yield. Log add: 3 ] fork. Processor yield. Log add: 2');
    expect(m.log()).toEqual([1, 2, 3]);
  });

  test('a preempted process goes on before its equals', () => {
    const m = machine();
    m.evaluate('[ Log add: #equal ] fork. [ Log add: #high ] forkAt: 50. Log add: #preempted');
    expect(m.log()).toEqual(['#high', '#preempted', '#equal']);
  });

  test('a semaphore keeps signals and wakes waiters in order', () => {
    const m = machine();
    m.evaluate(
      '| s | s := Semaphore new. s signal. s wait. Log add: #kept. ' +
        '1 to: 3 do: [ :i | [ s wait. Log add: i ] forkAt: 50 ]. s signal; signal; signal',
    );
    expect(m.log()).toEqual(['#kept', 1, 2, 3]);
  });

  test('a process that waits for ever makes the machine idle', () => {
    const m = machine();
    expect(m.evaluate('Semaphore new wait')).toEqual({ class: 'does not end' });
    expect(m.interpreter.run()).toMatchObject({ status: 'idle', nextTimerMs: null, interrupts: 0 });
    expect(m.evaluate('3 + 4')).toBe(7);
  });

  test('suspend and resume; resuming what runs, is ready or has ended fails', () => {
    const m = machine();
    m.evaluate(
      '| p | p := [ Log add: #ran ] newProcess. p priority: 30. p resume. ' +
        'Log add: p resume. p suspend. Log add: p resume == p. ' +
        'Log add: Processor activeProcess resume',
    );
    expect(m.log()).toEqual(['#cannotResume', true, '#cannotResume', '#ran']);
  });

  test('the timer signals at its time, and idle says when that is', () => {
    const m = machine();
    const due = m.nowMicroseconds + 5000 + EPOCH_MICROSECONDS;
    m.define('Object', `wakeUp | s | s := Semaphore new. Processor signal: s at: ${due}. s wait`);
    m.start('nil wakeUp. Log add: #awake');
    expect(m.interpreter.run()).toMatchObject({ status: 'idle', nextTimerMs: 5, interrupts: 0 });
    m.nowMicroseconds += 4999;
    expect(m.interpreter.run().nextTimerMs).toBe(1);
    m.nowMicroseconds += 1;
    expect(m.interpreter.run().nextTimerMs).toBe(null);
    expect(m.log()).toEqual(['#awake']);
  });

  test('the timer survives a new interpreter on the same heap', () => {
    const m = machine();
    const due = m.nowMicroseconds + 5000 + EPOCH_MICROSECONDS;
    m.define('Object', `wakeUp | s | s := Semaphore new. Processor signal: s at: ${due}. s wait`);
    m.start('nil wakeUp. Log add: #awake');
    m.interpreter.run();
    m.interpreter.attach();
    m.nowMicroseconds += 5000;
    m.interpreter.run();
    expect(m.log()).toEqual(['#awake']);
  });

  test('equals take turns when their time is up', () => {
    const m = machine();
    m.tickMicroseconds = 30_000;
    m.evaluate(
      '| stop | stop := false. [ stop := true ] fork. [ stop ] whileFalse. Log add: #stopped',
    );
    expect(m.log()).toEqual(['#stopped']);
  });
});

describe('Interpreter.run()', () => {
  test('leaves an endless loop when another thread asks, and goes on later', async () => {
    const m = new Machine({ isShared: true });
    m.start('Log add: #before. [ Log size = 1 ] whileTrue: [ ]. Log add: #after');
    const source =
      "const { workerData: w } = require('node:worker_threads');" +
      'setTimeout(() => Atomics.or(new Int32Array(w.heap), w.word, w.bit), 30);';
    const worker = new Worker(source, {
      eval: true,
      workerData: { heap: m.memory.H.buffer, word: CONTROL.interrupt, bit: INTERRUPT.host },
    });
    await new Promise((resolve) => worker.once('online', resolve));
    const result = m.interpreter.run();
    await worker.terminate();
    expect(result.status).toBe('host');
    expect(result.interrupts).toBe(INTERRUPT.host);
    const { memory } = m;
    const process = m.interpreter.activeProcess;
    expect(m.interpreter.stackTrace(process)).toContain('DoIt');
    expect(memory.checkHeap()).toEqual([]);
    m.start('Log add: #second', 50);
    m.interpreter.run();
    expect(m.log()).toEqual(['#before', '#second', '#after']);
  });

  test('Ctrl-C stops the process of the console, even when another one runs', () => {
    const m = new Machine();
    m.memory.setSpecial(SPECIAL.consoleProcess, m.start('Semaphore new wait. Log add: #woken'));
    m.interpreter.run();
    m.start('Log add: #other');
    m.interpreter.interrupt(INTERRUPT.userInterrupt);
    m.interpreter.run();
    expect(m.stops.map(({ description }) => description)).toEqual(['Interrupted']);
    expect(m.stops[0]?.process).toBe(m.memory.special(SPECIAL.consoleProcess));
    expect(m.log()).toEqual(['#other']);
  });

  test('a process whose Context is damaged is stopped, others run', () => {
    const m = new Machine();
    const process = m.start('3 + 4');
    const context = m.memory.fetch(process, PROCESS.suspendedContext);
    m.memory.store(context, 1, (9999 << 1) | 1);
    expect(m.evaluate('3 + 4')).toBe(7);
    expect(m.stops.map(({ description }) => description)).toEqual([
      'cannot go on: its Context is inconsistent',
    ]);
  });
});

describe('Scheduler.resume()', () => {
  test('puts the running process into its list once when several preempt it before the switch', () => {
    const m = new Machine();
    const { scheduler } = m.interpreter;
    const [running, equal, high, higher] = [40, 40, 60, 80].map((priority) => {
      const process = m.start('Log add: #never', priority);
      scheduler.remove(process);
      return process;
    }) as [number, number, number, number];
    scheduler.setActive(running);
    scheduler.mustSwitch = false;
    scheduler.resume(equal);
    scheduler.resume(high);
    scheduler.resume(higher);
    expect([1, 2, 3, 4].map(() => scheduler.next())).toEqual([higher, high, running, equal]);
    expect(scheduler.next()).toBe(m.memory.nil);
  });
});

describe('CommitRequests.enter()', () => {
  test('does the switch that is due: who gave way does not run in the generation', () => {
    const m = new Machine();
    const { scheduler } = m.interpreter;
    const [running, high] = [40, 60].map((priority) => {
      const process = m.start('Log add: #never', priority);
      scheduler.remove(process);
      return process;
    }) as [number, number];
    scheduler.setActive(running);
    scheduler.mustSwitch = false;
    scheduler.resume(high);
    expect(scheduler.mustSwitch).toBe(true);
    new CommitRequests(m.memory, scheduler).enter(1);
    expect([scheduler.active, scheduler.mustSwitch]).toEqual([high, false]);
    expect([scheduler.next(), scheduler.next()]).toEqual([running, m.memory.nil]);
  });
});
