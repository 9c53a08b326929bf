/**
 * The appliance as its owner meets it: boots to the prompt, keeps what it answered through a pulled
 * plug, and comes back from whatever was done to its classes.
 */
import { truncate } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { ANSWER_MS, type Appliance, BOOT_MS, boot, Card } from './appliance.ts';

const COUNT =
  'Smalltalk at: #count put: 0. [[true] whileTrue: [Smalltalk at: #count put: (Smalltalk at: #count) + 1. (Delay forMilliseconds: 20) wait]] fork. 1';

async function fillInbox(st: Appliance): Promise<void> {
  await st.type('Smalltalk at: #inbox put: OrderedCollection new');
  expect(await st.type("inbox add: 'hello'")).toBe("'hello'");
}

describe('the board', () => {
  test('keeps what the console answered, and running processes, through a pulled plug', async () => {
    await using card = await Card.fresh();
    let counted = 0;
    {
      await using st = await boot(card, { machine: 'raspi4b' });
      await fillInbox(st);
      expect(await st.type(COUNT)).toBe('1');
      counted = Number(await st.type('Smalltalk at: #count'));
    }
    await using again = await boot(card, { machine: 'raspi4b' });
    expect(await again.type('inbox first')).toBe("'hello'");
    const goesOn = Number(await again.type('Smalltalk at: #count'));
    expect(goesOn).toBeGreaterThanOrEqual(counted);
    await again.type('(Delay forMilliseconds: 200) wait');
    expect(Number(await again.type('Smalltalk at: #count'))).toBeGreaterThan(goesOn);
  });
});

describe('recovery', () => {
  const murders = [
    'Smalltalk at: #Object put: nil',
    'Object become: UndefinedObject',
    'Smalltalk at: #Processor put: nil',
    'Smalltalk removeKey: #OrderedCollection. OrderedCollection superclass removeSubclass: OrderedCollection',
  ];
  test.each(murders)('brings back the generation before: %s', async (murder) => {
    await using card = await Card.fresh();
    {
      await using st = await boot(card);
      await fillInbox(st);
      st.qemu.write(`${murder}\r`);
      // Whatever the image still answers, or nothing: the plug is pulled when it has had its time.
      await st.qemu.waitFor(/st> |debug> |recovery> /, ANSWER_MS).catch(() => {});
    }
    await using menu = await boot(card, { menu: true });
    const list = await menu.type('list', 'recovery> ');
    const newest = Number(/\*\s*(\d+)/.exec(list)?.[1]);
    const changes = await menu.type('changes', 'recovery> ');
    expect(changes).toContain(murder);
    // The murder is the newest generation, or its commit never came; the inbox was filled by the
    // one whose number the change log names for the murder's own line.
    expect(newest).toBeGreaterThan(1);
    await menu.type(`boot ${newest - 1}`, 'st> ', BOOT_MS);
    expect(await menu.type('inbox first')).toBe("'hello'");
    expect(await menu.type('3 + 4')).toBe('7');
  });

  test('shows generations, verifies them and changes nothing by looking', async () => {
    await using card = await Card.fresh();
    await using menu = await boot(card, { menu: true });
    const before = await menu.type('list', 'recovery> ');
    expect(await menu.type('verify', 'recovery> ', BOOT_MS)).toContain('all is well');
    expect(await menu.type('help', 'recovery> ')).toContain('boot N');
    expect(await menu.type('boot x', 'recovery> ')).toContain('wanted the number of a generation');
    expect(await menu.type('boot 999999', 'recovery> ')).toContain('999999');
    expect(await menu.type('frobnicate', 'recovery> ')).toContain('help');
    expect(await menu.type('list', 'recovery> ')).toBe(before);
    await menu.type('continue', 'st> ', BOOT_MS);
    expect(await menu.type('6 * 7')).toBe('42');
  });

  test('restarts after a native death and tells the reason', async () => {
    await using card = await Card.fresh();
    await using st = await boot(card);
    await fillInbox(st);
    st.qemu.write('Smalltalk crashTheMachineForTesting\r');
    await st.qemu.waitFor(/The machine restarted: .*SIGSEGV/, BOOT_MS);
    await st.qemu.waitFor('continues by itself', ANSWER_MS);
    st.qemu.write('\r');
    await st.untilPrompt('recovery> ');
    await st.type('continue', 'st> ', BOOT_MS);
    expect(await st.type('inbox first')).toBe("'hello'");
  });
});

describe('the console', () => {
  test('stops endless loops and endless recursion with Ctrl-C, and shows errors', async () => {
    await using card = await Card.fresh();
    await using st = await boot(card);
    st.qemu.write('[true] whileTrue\r');
    await st.qemu.waitFor('whileTrue\r\n', ANSWER_MS);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    st.qemu.write('\x03');
    expect(await st.untilPrompt('debug> ')).toContain('UserInterrupt');
    await st.type('abandon');
    await st.type(
      "Object subclass: #Deep instanceVariableNames: '' classVariableNames: '' package: 'T'",
    );
    await st.type("Deep compile: 'down ^ self down + 1'");
    st.qemu.write('Deep new down\r');
    await st.qemu.waitFor('Deep new down\r\n', ANSWER_MS);
    await new Promise((resolve) => setTimeout(resolve, 500));
    st.qemu.write('\x03');
    expect(await st.untilPrompt('debug> ', BOOT_MS)).toMatch(/UserInterrupt|StackOverflow/);
    await st.type('abandon');
    expect(await st.type('1/0', 'debug> ')).toContain('ZeroDivide');
    await st.type('abandon');
    expect(await st.type('(3 + ')).toContain('^');
    expect(await st.type('3 + 4')).toBe('7');
  });

  test('restarts and powers off on request, with everything kept', async () => {
    await using card = await Card.fresh();
    await using st = await boot(card);
    await fillInbox(st);
    st.qemu.write('Smalltalk reboot\r');
    await st.qemu.waitFor('recovery menu', BOOT_MS);
    await st.untilPrompt('st> ', BOOT_MS);
    expect(await st.type('inbox first')).toBe("'hello'");
    st.qemu.write('Smalltalk powerOff\r');
    expect((await st.qemu.exited).status).toBe(0);
  });

  test('uses all of a larger card', async () => {
    await using card = await Card.fresh();
    await truncate(card.image, 1024 * 1024 * 1024);
    await using st = await boot(card);
    expect(st.qemu.output).toMatch(/The journal has grown to \d+ MiB/);
    await fillInbox(st);
    await st.pullPlug();
    await using again = await boot(card);
    expect(await again.type('inbox first')).toBe("'hello'");
  });
});
