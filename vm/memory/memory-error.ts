/**
 * Failures of the object memory that a person can meet: a heap of another version, a heap that is
 * full. Everything else that goes wrong in here is a bug and an assert.
 */
export type MemoryErrorCode = 'HEAP_FULL' | 'HEAP_UNKNOWN' | 'HEAP_VERSION' | 'HEAP_DAMAGED';

/** An operating error of the object memory; `message` is one sentence. */
export class MemoryError extends Error {
  readonly code: MemoryErrorCode;
  constructor(code: MemoryErrorCode, message: string) {
    super(message);
    this.name = 'MemoryError';
    this.code = code;
  }
}
