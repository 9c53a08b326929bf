/**
 * Stress switches: each makes a rare event happen all the time, so that code which is wrong only
 * when it happens is found at once. All are off in a product; a test turns one on, in one place,
 * and off again. CI runs the language tests once with each.
 */
export const debug = {
  /** Scavenge at every safepoint: finds oops kept across a move. */
  gcStress: false,
  /** Unwind the stack into Contexts at every poll of the interrupt word. */
  unwindAtEveryPoll: false,
  /** Compile every method at its first activation. */
  jitEverything: false,
  /** Checkpoint whenever the interpreter returns to its host. */
  checkpointEveryStep: false,
};
