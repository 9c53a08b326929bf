/**
 * What keeps a broken machine from hurting itself: the count of starts that failed one after the
 * other, and the watch over the vm's own memory.
 *
 * The count lies in the journal's unversioned area, so it outlives the machine. A failed start is
 * one this program saw: a vm that could not start or has died, or a native death of the machine. A
 * power cut is none. A vm that has lived for a while is healthy and clears the count, with one
 * write.
 */
import type { StoreClient } from './store-client.ts';

const COUNTER = 'failedStarts';

export class Ladder {
  readonly #store: StoreClient;
  #count: number | null = null;

  constructor(store: StoreClient) {
    this.#store = store;
  }

  /** Counts a failed start; answers how many there were in a row. */
  async failed(): Promise<number> {
    this.#count = (await this.#read()) + 1;
    await this.#write();
    return this.#count;
  }

  /** The vm has lived long enough. */
  async healthy(): Promise<void> {
    if ((await this.#read()) === 0) return;
    this.#count = 0;
    await this.#write();
  }

  async #read(): Promise<number> {
    try {
      this.#count ??= await this.#store.call('counter', { name: COUNTER });
    } catch {
      // A journal that cannot even be read: the person at the prompt has been told.
    }
    return this.#count ?? 0;
  }

  async #write(): Promise<void> {
    const value = this.#count ?? 0;
    // Not written, it still counts for as long as this program runs.
    await this.#store.call('setCounter', { name: COUNTER, value }).catch(() => {});
  }
}

/** More than this in the vm's V8 heap is a fault: Smalltalk's objects are not there. */
export const VM_V8_HEAP_BYTES_MAX = 512 * 2 ** 20;

/** What is watched. */
export interface Watched {
  sleeps(): boolean;
  heapBytes(): Promise<number>;
}

export class HeapWatch {
  readonly #bytesMax: number;
  #looking = false;

  constructor(bytesMax = VM_V8_HEAP_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** Looks once, unless the vm sleeps (nothing grows then) or the last look has no answer yet. */
  async look(vm: Watched, tooLarge: (bytes: number) => void): Promise<void> {
    if (this.#looking || vm.sleeps()) return;
    this.#looking = true;
    try {
      const bytes = await vm.heapBytes();
      if (bytes > this.#bytesMax) tooLarge(bytes);
    } catch {
      // It has ended meanwhile; whoever ended it knows.
    } finally {
      this.#looking = false;
    }
  }
}
