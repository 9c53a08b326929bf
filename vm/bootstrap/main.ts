/**
 * From vm/classes to the first journal: the one door other folders use.
 *
 *     Tonel files ─ readPackages ─▶ class files ─ buildImage ─▶ heap ─ initializeClasses ─▶ heap
 *                                                        ─ prepareCheckpoint ─▶ generation 1
 *
 * The same sources give the same bytes: hashes come from a fixed seed, the only clock the image
 * sees is `wallMs`, and the journal's identity is zeros until the machine first opens it.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { JournalFile } from '../host/storage-file.ts';
import type { ObjectMemory } from '../memory/object-memory.ts';
import { PAGE_BYTES, PAGE_WORDS } from '../objects/layout.ts';
import { PRIMITIVES } from '../primitives/table.ts';
import { Journal } from '../store/journal.ts';
import type { Storage } from '../store/storage.ts';
import { BootstrapError } from './bootstrap-error.ts';
import { buildImage, type Image } from './image.ts';
import { initializeClasses } from './initialize.ts';
import { readPackages } from './packages.ts';

export interface BootstrapOptions {
  /** Folder of the Tonel packages; this tree's own when it is left out. */
  classesDir?: string;
  /** The time at which the image is made; fixed, so that it does not show in the bytes. */
  wallMs?: number;
}

export interface JournalOptions extends BootstrapOptions {
  /** Size of the journal file to make; needed when a path is given. */
  sizeBytes?: number;
}

const CLASSES_DIR = join(import.meta.dirname, '..', 'classes');
const WALL_MS = Date.UTC(2026, 0, 1);

/** A heap with all classes, initialized, and what is to be said about it. Throws BootstrapError. */
export function bootstrapImage(options: BootstrapOptions = {}): Image & { output: string } {
  const image = buildImage(readPackages(options.classesDir ?? CLASSES_DIR));
  const nowMicroseconds = (options.wallMs ?? WALL_MS) * 1000;
  const { output } = initializeClasses(image, { primitives: PRIMITIVES, nowMicroseconds });
  return { ...image, output };
}

/** The heap alone. */
export function bootstrapHeap(options: BootstrapOptions = {}): ObjectMemory {
  return bootstrapImage(options).memory;
}

/** Makes a journal whose first generation is the bootstrapped heap. Throws BootstrapError. */
export function bootstrapJournal(
  target: string | Storage,
  options: JournalOptions = {},
): { pages: number; warnings: string[] } {
  const { memory, warnings } = bootstrapImage(options);
  memory.prepareCheckpoint();
  const pages = memory.dirtyPages().map((page) => ({ page, bytes: pageBytes(memory, page) }));
  const storage = typeof target === 'string' ? newFile(target, options.sizeBytes) : target;
  const wallMs = options.wallMs ?? WALL_MS;
  const given = { wallClockMs: wallMs, random: (bytes: number) => new Uint8Array(bytes) };
  Journal.format(storage, given);
  const journal = Journal.open(storage, { write: true, ...given });
  journal.commit({ pages, wallMs, journalMs: 0 });
  if (typeof target === 'string') journal.close();
  return { pages: pages.length, warnings };
}

function newFile(path: string, sizeBytes = 64 * 2 ** 20): Storage {
  if (existsSync(path)) rmSync(path);
  return new JournalFile(path, { write: true, createBytes: sizeBytes });
}

function pageBytes(memory: ObjectMemory, page: number): Uint8Array {
  const { buffer, byteOffset } = memory.H;
  return new Uint8Array(buffer, byteOffset + page * PAGE_WORDS * 4, PAGE_BYTES).slice();
}

/** `node vm/bootstrap/main.ts OUT [SIZE_MIB]`: makes a journal file; answers the exit status. */
function main([path, sizeMib]: string[]): number {
  if (path === undefined) {
    process.stderr.write('Cannot make an image: no file was named; say where to write it\n');
    return 2;
  }
  try {
    const sizeBytes = Number(sizeMib ?? 64) * 2 ** 20;
    const { pages, warnings } = bootstrapJournal(path, { sizeBytes });
    for (const warning of warnings) process.stderr.write(`${warning}\n`);
    process.stdout.write(`${path}: ${pages} pages in generation 1\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof BootstrapError)) throw error;
    for (const problem of error.problems) process.stderr.write(`${problem}\n`);
    return 1;
  }
}

if (import.meta.main) process.exitCode = main(process.argv.slice(2));
