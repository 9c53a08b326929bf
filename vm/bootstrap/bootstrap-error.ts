/**
 * What can be wrong with the sources of an image: one sentence each, naming file and line where
 * there are some. The bootstrap collects them, so that one run shows all.
 */
export class BootstrapError extends Error {
  readonly code = 'BOOTSTRAP';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'BootstrapError';
    this.problems = problems;
  }
}
