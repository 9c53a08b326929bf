/**
 * PID 1. Mounts what the kernel offers, finds the journal, and becomes the supervisor of a
 * Smalltalk machine. There is nothing else: no shell, no other process, no file system.
 *
 * PID 1 never ends: an error nobody caught leaves its reason in the journal and restarts the
 * machine into the recovery prompt; a native death does the same through the addon's crash handler.
 */
import { closeSync, constants, fdatasyncSync, readFileSync, readSync, writeSync } from 'node:fs';
import { type Addon, loadAddon } from '../vm/host/addon.ts';
import { Machine } from '../vm/host/machine.ts';
import { deviceTerminal } from '../vm/host/terminal.ts';
import { PAGE_BYTES } from '../vm/objects/layout.ts';
import { RING_BLOCKS } from '../vm/store/format.ts';
import { hasJournalMagic } from '../vm/store/superblock.ts';
import { Console } from '../vm/supervisor/console.ts';
import { findJournal, type JournalPlace } from './find-journal.ts';
import { takeLastWords } from './last-words.ts';
import { MOUNTS } from './mounts.ts';
import { grownTable, JOURNAL_PARTITION } from './partitions.ts';

/**
 * The kernel's own list of its consoles: the serial line and the screen, whatever they are called.
 */
const CONSOLES_FILE = '/sys/class/tty/console/active';
const CARD_TIMEOUT_MS = 20_000;
const MENU_MS = 3_000;
const REAP_INTERVAL_MS = 60_000;

function consoleDevices(): string[] {
  const names = readFileSync(CONSOLES_FILE, 'utf8').trim().split(/\s+/);
  return names.map((name) => (name === 'tty0' ? '/dev/tty1' : `/dev/${name}`));
}

/** Whether a device begins with a ring of superblocks, any of which may be blank. */
function beginsWithJournal(addon: Addon, path: string): boolean {
  const bytes = RING_BLOCKS * PAGE_BYTES;
  try {
    const fd = addon.openDirect(path, constants.O_RDONLY);
    const ring = new Uint8Array(addon.alignedBuffer(bytes));
    const count = readSync(fd, ring, 0, bytes, 0);
    closeSync(fd);
    for (let at = 0; at < count; at += PAGE_BYTES) {
      if (hasJournalMagic(ring.subarray(at, at + PAGE_BYTES))) return true;
    }
  } catch {
    // A disk that cannot be read is not the one with our journal.
  }
  return false;
}

/**
 * Grows the journal's partition to the end of the card, once, at the first boot on a larger card.
 * One write of one sector, flushed, before the kernel is told: a power cut leaves the old table or
 * the new one, and the journal in it is the same.
 */
function growPartition(addon: Addon, disk: string, say: (line: string) => void): void {
  const fd = addon.openDirect(disk, constants.O_RDWR);
  try {
    const block = new Uint8Array(addon.alignedBuffer(PAGE_BYTES));
    readSync(fd, block, 0, PAGE_BYTES, 0);
    const grown = grownTable(block, addon.diskBytes(fd));
    if (grown === undefined) return;
    block.set(grown.sector, 0);
    writeSync(fd, block, 0, PAGE_BYTES, 0);
    fdatasyncSync(fd);
    const { startBytes, sizeBytes } = grown.partition;
    addon.resizePartition(fd, JOURNAL_PARTITION, startBytes, sizeBytes);
    say(`The journal has grown to ${Math.round(sizeBytes / 1024 / 1024)} MiB.`);
  } finally {
    closeSync(fd);
  }
}

async function findPlace(addon: Addon): Promise<JournalPlace> {
  const place = await findJournal((path) => beginsWithJournal(addon, path), CARD_TIMEOUT_MS);
  if (place !== undefined) return place;
  throw new Error(
    `Cannot find the journal: found no disk with a partition ${JOURNAL_PARTITION} in ` +
      `${CARD_TIMEOUT_MS / 1000} s; write the card again and keep it in the slot`,
  );
}

/**
 * Nothing can be done without a journal: the sentence stays on the screen until a key is pressed.
 */
async function giveUp(addon: Addon, console: Console, reason: string): Promise<never> {
  for (;;) {
    console.print(reason);
    await console.readLine('Press return to restart. ');
    addon.restartMachine('restart');
  }
}

function mountAll(addon: Addon): void {
  for (const { source, target, type, flags, data, needed } of MOUNTS) {
    try {
      addon.mount(source, target, type, flags, data);
    } catch (error) {
      if (needed) throw error;
    }
  }
}

/** Everything PID 1 does; returns when the machine is left. */
export async function boot(): Promise<void> {
  const addon = loadAddon();
  mountAll(addon);
  const kernelDeath = takeLastWords();
  addon.signalStack();
  const console = new Console(deviceTerminal(consoleDevices()));
  // A process whose parent has died is ours now; nobody waits for it but us.
  setInterval(() => {
    while (addon.reap(-1) > 0);
  }, REAP_INTERVAL_MS);
  const lastWords = (error: unknown): void => {
    const reason = error instanceof Error ? error.message : String(error);
    console.write(`Palimpsest has to restart: ${reason}\n`);
    addon.leaveReason(`Palimpsest met a bug: ${reason}`);
    addon.restartMachine('restart');
  };
  process.on('uncaughtException', lastWords);
  process.on('unhandledRejection', lastWords);
  // Ctrl-Alt-Del and the like must not end PID 1; the console has words for it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  let machine: Machine;
  try {
    const place = await findPlace(addon);
    growPartition(addon, place.disk, (line) => console.print(line));
    machine = await Machine.open({
      path: place.partition,
      scratch: false,
      console,
      leaveCrashes: true,
      endsWithConsole: false,
      leave: async (how) => {
        addon.restartMachine(how === 'poweroff' ? 'poweroff' : 'restart');
        return new Promise<never>(() => {});
      },
    });
  } catch (error) {
    return giveUp(addon, console, error instanceof Error ? error.message : String(error));
  }
  for (const notice of machine.opened.notices) console.print(notice);
  const { head, crash } = machine.opened;
  const kernelCrash =
    kernelDeath === null ? null : { signal: 0, addressHex: '', text: kernelDeath };
  await machine.supervisor.live(head, crash ?? kernelCrash, {
    menu: { withinMs: MENU_MS },
  });
}
