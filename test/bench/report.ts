/** The report as a table for people. */
import type { Row } from './bench.ts';
import type { Machine } from './machine.ts';

const HEAD = ['', 'value', 'unit', 'peer', 'ratio', 'bar', ''] as const;

/** Rows as a table of aligned columns, with the machine beneath. */
export function table(name: string, rows: readonly Row[], machine: Machine): string {
  const lines = [HEAD.map(String), ...rows.map(cells)];
  const widths = HEAD.map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  );
  const text = lines.map((line) =>
    line
      .map((cell, column) =>
        column === 1 || column === 3 || column === 4
          ? cell.padStart(widths[column] ?? 0)
          : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
  const about = Object.entries(machine).map(([key, value]) => `${key}: ${value}`);
  return [`benchmark ${name}`, ...text, '', about.join('; ')].join('\n');
}

function cells({ name, value, unit, peer, ratio, bar, ok }: Row): string[] {
  const verdict = ok === null ? '' : ok ? 'ok' : 'MISSED';
  return [
    name,
    digits(value),
    unit,
    peer === null ? '' : digits(peer),
    ratio === null ? '' : ratio.toFixed(2),
    bar ?? '',
    verdict,
  ];
}

/** Three significant digits, whole numbers whole. */
function digits(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return Math.round(value).toString();
  return value.toPrecision(3);
}
