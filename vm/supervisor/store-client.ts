/**
 * Requests to the store's thread, and its answers matched to them. The store handles one request at
 * a time, in order. A refusal comes back as a StoreError with the store's own sentence.
 */
import type { StoreErrorCode } from '../store/store-error.ts';
import { StoreError } from '../store/store-error.ts';
import type { Committed, StoreRequestName, StoreRequests } from './messages.ts';

/** One request on its way to the store. */
export interface StoreCall {
  readonly id: number;
  readonly name: StoreRequestName;
  readonly request: unknown;
}

/** The store's word: an answer to a call, progress of a long one, or news of a commit. */
export type FromStore =
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | {
      readonly kind: 'refusal';
      readonly id: number;
      readonly code: string;
      readonly message: string;
    }
  | { readonly kind: 'progress'; readonly done: number; readonly total: number }
  | Committed;

/** Settles every ticket there will be: nothing is committed any more. */
const LAST_TICKET = Number.MAX_SAFE_INTEGER;

interface Waiter {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class StoreClient {
  onCommit: (news: Committed) => void = () => {};
  onProgress: (done: number, total: number) => void = () => {};

  readonly #post: (call: StoreCall) => void;
  readonly #waiters = new Map<number, Waiter>();
  #nextId = 1;
  #failure: StoreError | null = null;

  /** `post` carries a call to the store's thread. */
  constructor(post: (call: StoreCall) => void) {
    this.#post = post;
  }

  /** Asks the store; rejects with a StoreError when it refuses. */
  call<N extends StoreRequestName>(
    name: N,
    request: StoreRequests[N]['request'],
  ): Promise<StoreRequests[N]['reply']> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiters.set(id, { resolve, reject });
    this.#post({ id, name, request });
    return promise as Promise<StoreRequests[N]['reply']>;
  }

  /** Takes what the store's thread sent. */
  receive(message: FromStore): void {
    switch (message.kind) {
      case 'committed':
      case 'commitFailed':
        return this.onCommit(message);
      case 'progress':
        return this.onProgress(message.done, message.total);
      case 'answer':
        this.#waiters.get(message.id)?.resolve(message.value);
        break;
      case 'refusal':
        this.#waiters
          .get(message.id)
          ?.reject(new StoreError(message.code as StoreErrorCode, message.message));
    }
    this.#waiters.delete(message.id);
  }

  /** The store's thread is gone: everything waiting, and to come, is refused with `reason`. */
  fail(reason: string): void {
    this.#failure = new StoreError('IO_FAILED', reason);
    for (const waiter of this.#waiters.values()) waiter.reject(this.#failure);
    this.#waiters.clear();
    this.onCommit({
      kind: 'commitFailed',
      ticket: LAST_TICKET,
      code: 'IO_FAILED',
      message: reason,
    });
  }
}
