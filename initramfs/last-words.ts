/**
 * Why the kernel died the last time. The kernel keeps the end of its log over a restart in a piece
 * of RAM set aside for it (ramoops) and shows it as files in /sys/fs/pstore; each is read once and
 * removed. This covers the deaths that our own crash handler cannot: a panic, PID 1 killed for want
 * of memory.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const PSTORE = '/sys/fs/pstore';
const PANIC = /Kernel panic - not syncing: (.*)/;
/** Our own restarts leave no panic; a log of the console is kept over every restart. */
const PANIC_LOG = /^dmesg-/;

/** The reason in a kernel's last log; null when it tells of no panic. */
export function panicReason(log: string): string | null {
  const found = PANIC.exec(log)?.[1]?.trim();
  return found === undefined ? null : `the kernel stopped: ${found}`;
}

/** Reads and removes what the kernel left; the reason of its death, or null. */
export function takeLastWords(dir = PSTORE): string | null {
  let reason: string | null = null;
  let names: string[];
  try {
    names = readdirSync(dir);
  } catch {
    return null; // A kernel without the place for it.
  }
  for (const name of names.sort()) {
    const path = join(dir, name);
    try {
      if (PANIC_LOG.test(name)) reason ??= panicReason(readFileSync(path, 'latin1'));
      rmSync(path);
    } catch {
      // Damaged by the restart: what cannot be read tells nothing.
    }
  }
  return reason;
}
