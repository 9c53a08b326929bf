/**
 * What can go wrong outside the build's own code: a missing tool, a vanished version, a bad board
 * file. Such a failure carries one whole sentence for the person at the terminal and a permanent
 * code for documentation; a bug is an assert (vm/base/assert.ts) and keeps its stack trace.
 */

export type BuildErrorCode =
  | 'BOARD_INVALID'
  | 'BOOTSTRAP'
  | 'CARD_REFUSED'
  | 'COMMAND_FAILED'
  | 'DOWNLOAD_FAILED'
  | 'DOWNLOAD_WRONG_HASH'
  | 'HOST_PACKAGES_MISSING'
  | 'HOST_UNSUPPORTED'
  | 'IMAGE_MISSING'
  | 'IMAGE_UNREADABLE'
  | 'LOCK_INVALID'
  | 'MIRROR_UNKNOWN'
  | 'OUTPUT_TOO_LARGE'
  | 'USAGE'
  | 'VERSION_VANISHED';

/** An operating error of the build: `message` is one sentence, action: found, wanted, remedy. */
export class BuildError extends Error {
  override readonly name = 'BuildError';
  readonly code: BuildErrorCode;

  constructor(code: BuildErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Runs a program's main function: an operating error prints its sentence and ends with status 1, a
 * bug goes on to Node with its stack.
 */
export async function runMain(main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
