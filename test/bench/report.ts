/** The report for people: a table for the terminal, or one in Markdown for docs/BENCHMARKS.md. */
import type { Row } from './bench.ts';
import type { Machine } from './machine.ts';

const HEAD = ['', 'value', 'unit', 'peer', 'ratio', 'middle half', 'bar', ''] as const;
/** Columns of figures, which end at the same place. */
const RIGHT: ReadonlySet<number> = new Set([1, 3, 4]);

/** Rows as a table of aligned columns, with the machine beneath. */
export function table(name: string, rows: readonly Row[], machine: Machine): string {
  const lines = [HEAD.map(String), ...rows.map(cells)];
  const widths = HEAD.map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  );
  const text = lines.map((line) =>
    line
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return RIGHT.has(column) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
  return [`benchmark ${name}`, ...text, '', aboutMachine(machine)].join('\n');
}

/** The same as a table in Markdown. */
export function markdown(name: string, rows: readonly Row[], machine: Machine): string {
  const line = (row: readonly string[]): string => `| ${row.join(' | ')} |`;
  return [
    line([name, ...HEAD.slice(1)]),
    line(HEAD.map((_, column) => (RIGHT.has(column) ? '---:' : '---'))),
    ...rows.map((row) => line(cells(row))),
    '',
    `One run; ${aboutMachine(machine)}.`,
  ].join('\n');
}

function aboutMachine(machine: Machine): string {
  return Object.entries(machine)
    .map(([key, value]) => `${key}: ${value}`)
    .join('; ');
}

function cells({ name, value, unit, peer, ratio, spread, bar, ok }: Row): string[] {
  const verdict = ok === null ? '' : ok ? 'ok' : 'MISSED';
  return [
    name,
    digits(value),
    unit,
    peer === null ? '' : digits(peer),
    ratio === null ? '' : digits(ratio),
    spread === null ? '' : `${digits(spread.low)}–${digits(spread.high)}`,
    bar ?? '',
    verdict,
  ];
}

/** Three significant digits, whole numbers whole. */
function digits(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return Math.round(value).toString();
  return value.toPrecision(3);
}
