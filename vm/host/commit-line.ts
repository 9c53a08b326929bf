/**
 * The store's end of a vm's line: pages written ahead, and commits, in the order they come.
 *
 * The bytes come in staging buffers that the vm does not change until it has been answered; nothing
 * here touches the region, for the pager may be waiting for this thread.
 */
import { assert } from '../base/assert.ts';
import { PAGE_BYTES } from '../store/storage.ts';
import { StoreError, type StoreErrorCode } from '../store/store-error.ts';
import type { StoreToVm, VmToStore } from '../supervisor/messages.ts';

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
  #reason = new StoreError('IO_FAILED', '');

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
        const refusal = this.#attempt(message, () => this.#options.stage(pages, bytes));
        tell(refusal ? { kind: 'stageFailed', serial, ...refusal } : { kind: 'staged', serial });
        return;
      }
      case 'commit': {
        const { ticket, pages } = message;
        const bytes = new Uint8Array(message.staging);
        assert(bytes.length >= pages.length * PAGE_BYTES, 'staging buffer');
        let generation = 0;
        const refusal = this.#attempt(message, () => {
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
  #attempt(message: { serial: number; afterFailure: number }, body: () => void): Refusal | null {
    try {
      if (message.afterFailure < this.#lastFailed) throw this.#reason;
      body();
      return null;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#lastFailed = message.serial;
      this.#reason = new StoreError(error.code as StoreErrorCode, error.message);
      return { code: error.code, message: error.message };
    }
  }
}
