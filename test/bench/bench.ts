/**
 * What a benchmark is: named parts that measure something beside a peer or a limit and answer rows.
 *
 * Rules for all of them: both sides are measured in the same run, interleaved, on the same file
 * system; medians count, with quartiles beside them; a `ratio` is ours over the peer's; a row
 * without a bar only informs.
 */

/** One line of the report. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The peer's or limit's value, in the same unit; null when the bar is absolute. */
  readonly peer: number | null;
  readonly ratio: number | null;
  /** What was asked for; null when nothing was. */
  readonly bar: string | null;
  readonly ok: boolean | null;
  /** Quartiles of the ratio over the rounds, or of the value without a peer; null for counts. */
  readonly spread: Spread | null;
}

/** The middle half of some figures. */
export interface Spread {
  readonly low: number;
  readonly high: number;
}

type Measured = Pick<Row, 'name' | 'value' | 'unit'> & { readonly spread?: Spread };

/** What a part may use. */
export interface BenchContext {
  /** An empty folder on the file system under test; its files are removed afterwards. */
  readonly dir: string;
  /** Seed of everything random. */
  readonly seed: number;
  /** Tells the person at the terminal what is being done. */
  readonly progress: (text: string) => void;
}

export interface BenchPart {
  readonly name: string;
  readonly about: string;
  readonly run: (context: BenchContext) => Promise<Row[]>;
}

export interface Bench {
  readonly parts: readonly BenchPart[];
}

/** A row with a bar on the ratio of ours to the peer's. */
export function ratioRow(
  row: Measured & { readonly peer: number },
  bar: { readonly text: string; readonly holds: (ratio: number) => boolean },
): Row {
  const ratio = row.value / row.peer;
  return { spread: null, ...row, ratio, bar: bar.text, ok: bar.holds(ratio) };
}

/** A row with a bar on the value itself. */
export function valueRow(
  row: Measured,
  bar: { readonly text: string; readonly holds: (value: number) => boolean },
): Row {
  const ok = bar.holds(row.value);
  return { spread: null, ...row, peer: null, ratio: null, bar: bar.text, ok };
}

/** A row that only informs, beside a peer or not. */
export function infoRow(name: string, value: number, unit: string, peer?: number): Row {
  const beside = peer === undefined ? null : peer;
  return {
    name,
    value,
    unit,
    peer: beside,
    ratio: beside === null ? null : value / beside,
    bar: null,
    ok: null,
    spread: null,
  };
}

/** A bar: at least this. */
export function atLeast(limit: number): { text: string; holds: (value: number) => boolean } {
  return { text: `≥ ${limit}`, holds: (value) => value >= limit };
}

/** A bar: at most this. */
export function atMost(limit: number): { text: string; holds: (value: number) => boolean } {
  return { text: `≤ ${limit}`, holds: (value) => value <= limit };
}
