/**
 * A record of the change log as bytes: JSON in UTF-8 with a version, so that it can be read without
 * an image and by any later program.
 *
 *   {"v":1,"wallMs":…,"author":…,"kind":"doit"|"outcome","generation":…,"change":…,"text":…}
 *
 * `change` of an outcome is the journal's number of the do-it it belongs to; a do-it has 0 there,
 * its number is the journal's own.
 */
import type { ChangeRecord } from './messages.ts';

const VERSION = 1;

/** The bytes of a record. */
export function encodeChangeRecord(record: ChangeRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ v: VERSION, ...record }));
}

/** The record of the journal's change `number`; null when it is of another version or no record. */
export function decodeChangeRecord(number: number, bytes: Uint8Array): ChangeRecord | null {
  try {
    const found = JSON.parse(new TextDecoder().decode(bytes)) as ChangeRecord & { v: number };
    if (found.v !== VERSION) return null;
    const { wallMs, author, kind, generation, text } = found;
    return { wallMs, author, kind, generation, text, change: found.change || number };
  } catch {
    return null;
  }
}
