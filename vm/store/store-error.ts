/**
 * What can go wrong with a journal that is no bug of ours: the medium, a foreign file, a full
 * partition. Codes are permanent; each has a paragraph in docs/RECOVERY.md.
 */
export type StoreErrorCode =
  | 'NOT_A_JOURNAL'
  | 'WRONG_VERSION'
  | 'JOURNAL_DAMAGED'
  | 'PARTITION_TOO_SMALL'
  | 'JOURNAL_LOCKED'
  | 'JOURNAL_FULL'
  | 'READ_ONLY'
  | 'NO_SUCH_GENERATION'
  | 'PAGE_UNREADABLE'
  | 'GENERATION_UNREADABLE'
  | 'IO_FAILED'
  | 'UNVERSIONED_FULL'
  | 'BAD_STREAM';

/** An operating failure of the store: one clear sentence and a code a program can test. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StoreError';
    this.code = code;
  }
}
