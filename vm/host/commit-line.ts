/**
 * The store's end of a vm's line: pages written ahead, and commits, in the order they come.
 *
 * The bytes come in staging buffers that the vm does not change until it has been answered; nothing
 * here touches the region, for the pager may be waiting for this thread. Copies that do not look
 * like a heap become no generation.
 */
import { faultOfCopies } from '../memory/check-copies.ts';
import { MemoryError } from '../memory/memory-error.ts';
import { PAGE_BYTES } from '../store/storage.ts';
import { StoreError } from '../store/store-error.ts';
import type { HandedPages, StoreToVm, VmToStore } from '../supervisor/messages.ts';

export interface CommitLineOptions {
  /** Writes pages ahead of their commit. Throws StoreError. */
  readonly stage: (pages: readonly number[], bytes: Uint8Array) => void;
  /** Makes a generation of what was staged and these pages; answers its number. */
  readonly commit: (pages: readonly number[], bytes: Uint8Array) => number;
  readonly tell: (news: StoreToVm) => void;
}

type Refusal = { readonly code: string; readonly message: string };

export class CommitLine {
  readonly #options: CommitLineOptions;
  #lastFailed = 0;
  #reason: StoreError | MemoryError = new StoreError('IO_FAILED', '');

  constructor(options: CommitLineOptions) {
    this.#options = options;
  }

  /** Does what a message of the vm asks for, and tells how it went. */
  take(message: VmToStore): void {
    const { tell } = this.#options;
    switch (message.kind) {
      case 'stage': {
        const { serial, pages, staging, offsetBytes } = message;
        const bytes = new Uint8Array(staging, offsetBytes, pages.length * PAGE_BYTES);
        const refusal = this.#attempt(message, bytes, () => this.#options.stage(pages, bytes));
        tell(refusal ? { kind: 'stageFailed', serial, ...refusal } : { kind: 'staged', serial });
        return;
      }
      case 'commit': {
        const { ticket, pages } = message;
        const bytes = new Uint8Array(message.staging, 0, pages.length * PAGE_BYTES);
        let generation = 0;
        const refusal = this.#attempt(message, bytes, () => {
          generation = this.#options.commit(pages, bytes);
        });
        if (refusal) tell({ kind: 'commitFailed', ticket, ...refusal });
        else tell({ kind: 'committed', ticket, generation });
        return;
      }
      case 'refuse': {
        const { ticket, code, message: text } = message;
        tell({ kind: 'commitFailed', ticket, code, message: text });
      }
    }
  }

  /** An operating error is told, and makes the line refuse what the vm sent before it heard. */
  #attempt(message: HandedMessage, bytes: Uint8Array, body: () => void): Refusal | null {
    try {
      if (message.afterFailure < this.#lastFailed) throw this.#reason;
      check(message, bytes);
      body();
      return null;
    } catch (error) {
      if (!(error instanceof StoreError) && !(error instanceof MemoryError)) throw error;
      this.#lastFailed = message.serial;
      this.#reason = error;
      return { code: error.code, message: error.message };
    }
  }
}

type HandedMessage = Extract<VmToStore, HandedPages>;

function check(message: HandedMessage, bytes: Uint8Array): void {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const fault = faultOfCopies({ ...message, words, provisional: message.kind === 'stage' });
  if (fault === null) return;
  throw new MemoryError(
    'HEAP_DAMAGED',
    `Cannot commit: the heap is damaged on ${fault}; go back to the last generation`,
  );
}
