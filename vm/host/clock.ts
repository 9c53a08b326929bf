/**
 * The machine's clock. A Pi has none that runs without power: after a restart its time may lie
 * before that of the newest generation, and a process that waits until a moment would wait for
 * years. So time goes on from whichever is later, the system's clock or the last commit, and never
 * jumps while the machine runs.
 */

/**
 * A clock in ms since the Unix epoch that starts at `notBeforeMs` or later and only goes forward.
 */
export function forwardClock(
  notBeforeMs: number,
  wallMs: () => number = Date.now,
  elapsedMs: () => number = () => performance.now(),
): () => number {
  const base = Math.max(wallMs(), notBeforeMs) - elapsedMs();
  return () => base + elapsedMs();
}
