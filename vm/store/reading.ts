/**
 * Reading from a medium whose read errors may pass. Opening must not take a block for gone that
 * only failed once: it would end the log early, and the next commit would write over the rest.
 */
import { PAGE_BYTES, type Storage } from './storage.ts';

/** How often a block is asked for before it counts as unreadable. */
export const READ_ATTEMPTS = 3;

/**
 * Fills `into` from `offset`, block by block where the whole cannot be read at once; a block that
 * stays unreadable reads as zeros. Answers whether everything was readable.
 */
export function readPatiently(storage: Storage, offset: number, into: Uint8Array): boolean {
  if (read(storage, offset, into)) return true;
  let whole = true;
  const block = storage.allocate(PAGE_BYTES);
  for (let at = 0; at < into.length; at += PAGE_BYTES) {
    let attempts = READ_ATTEMPTS;
    while (attempts > 0 && !read(storage, offset + at, block)) attempts--;
    if (attempts > 0) into.set(block, at);
    else into.fill(0, at, at + PAGE_BYTES);
    whole &&= attempts > 0;
  }
  return whole;
}

function read(storage: Storage, offset: number, into: Uint8Array): boolean {
  try {
    storage.read(offset, into);
    return true;
  } catch {
    return false;
  }
}
