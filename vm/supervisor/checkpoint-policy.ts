/**
 * When a checkpoint is due. What the console has answered is durable before the prompt returns, so
 * that is no matter of policy; this decides for everything that runs in the background.
 *
 * A program that changes things is committed every 5 s. One that only ticks (few pages, nothing
 * came from outside) is committed every 5 min, to spare the card: after a power cut it goes on from
 * there. Nothing changed: nothing is written, ever.
 */

export const BUSY_INTERVAL_MS = 5_000;
export const TICKING_INTERVAL_MS = 300_000;
export const TICKING_PAGES_MAX = 16;

export interface PolicyInput {
  /** The vm has run since the last commit. */
  readonly ran: boolean;
  readonly msSinceCommit: number;
  /** Something came from outside (console, network, device) since the last commit. */
  readonly outsideSinceCommit: boolean;
}

/**
 * The least number of dirty pages that deserves a commit now, or null: none is due. The vm is the
 * one who can count its dirty pages.
 */
export function dirtyPagesWorthCommit(input: PolicyInput): number | null {
  if (!input.ran || input.msSinceCommit < BUSY_INTERVAL_MS) return null;
  if (input.outsideSinceCommit || input.msSinceCommit >= TICKING_INTERVAL_MS) return 1;
  return TICKING_PAGES_MAX + 1;
}
