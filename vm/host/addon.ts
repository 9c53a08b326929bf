/**
 * The typed face of the native addon (vm/pager/native): what each function takes is said there.
 * Loaded once in every thread; all of its state is per process.
 */
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';

/** A thread that writes in the background; nothing to JavaScript but a name for it. */
export type NativeWriter = object;

/** A native error carries the errno's name as `code`. */
export interface Addon {
  reserve(bytes: number): void;
  view(offsetBytes: number, bytes: number): ArrayBuffer;
  mapView(): ArrayBuffer;
  resetRegion(): void;
  guardRegion(): void;
  alignedBuffer(bytes: number): ArrayBuffer;
  statesView(): ArrayBuffer;
  /** `ranges`: triples of first page, end page, PAGE_KIND. */
  startPager(
    path: string,
    journalBaseBytes: number,
    scratchFd: number,
    characterClassWord: number,
    sentinelClassWord: number,
    ranges: Float64Array,
  ): void;
  stopPager(): void;
  answerAsks(callback: (page: number) => void): void;
  retryFaults(): void;
  /** Faults served, pages read, pages unreadable, map entries asked for, pages resident. */
  pagerStatistics(): [number, number, number, number, number];
  limitResident(pages: number): void;
  dropPages(first: number, count: number): void;
  mount(source: string, target: string, type: string, flags: number, data: string): void;
  restartMachine(how: 'restart' | 'poweroff' | 'halt'): void;
  reap(pid: number): number;
  openDirect(path: string, flags: number): number;
  lockFile(fd: number): boolean;
  diskBytes(fd: number): number;
  discard(fd: number, offset: number, bytes: number): boolean;
  sumBlocks(bytes: Uint8Array, numbers: Float64Array, offsetBytes: number, into: Uint32Array): void;
  openWriter(fd: number): NativeWriter;
  startWrite(writer: NativeWriter, bytes: Uint8Array, offset: number): void;
  finishWrite(writer: NativeWriter): void;
  resizePartition(diskFd: number, number: number, startBytes: number, bytes: number): void;
  installCrashHandler(fd: number, offsetBytes: number, restart: boolean): void;
  signalStack(): void;
  leaveReason(text: string): void;
  die(): never;
}

/** What the pages of a range hold, as the pager needs to know it (addon.h). */
export const PAGE_KIND = { table: 0, objects: 1, characters: 2 } as const;

/** In the appliance the addon lies at the root of the program, on a PC where the build put it. */
function addonPath(): string {
  const root = join(import.meta.dirname, '..', '..');
  const candidates = [join(root, 'addon.node'), join(root, 'output', 'host', 'addon.node')];
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new Error(
    `Cannot load the native addon: found nothing at ${candidates.join(' or ')}, ` +
      'wanted the file that "npm run image" or "npm run host" builds',
  );
}

/** Loads the addon in this thread. Throws an Error with one sentence when it is not built. */
export function loadAddon(): Addon {
  const module = { exports: {} };
  process.dlopen(module, addonPath(), constants.dlopen.RTLD_NOW);
  return module.exports as Addon;
}
