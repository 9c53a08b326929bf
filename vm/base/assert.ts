/**
 * A bug stops the program where it is noticed. Asserts stay on in every build: what they guard is a
 * person's data, and the cost is measured in nanoseconds.
 */

/**
 * Stops with an Error naming `message` when `condition` is false. For bugs, never for bad input.
 */
export function assert(condition: boolean, message = 'assertion failed'): asserts condition {
  if (!condition) throw new Error(`Bug: ${message}`);
}

/** Marks a place no execution may reach, with the value that got there. */
export function unreachable(value: never, message = 'unreachable value'): never {
  throw new Error(`Bug: ${message}: ${String(value)}`);
}
