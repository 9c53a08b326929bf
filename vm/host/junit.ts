/**
 * Test reports as JUnit XML, the form in which build servers read them: one testsuite for each
 * class, one testcase for each test, `failure` for assertions and `error` for all else.
 */
import { type TestReport, tallyOf } from '../supervisor/test-session.ts';

/** The whole document; well-formed whatever the texts contain. */
export function junitXml(reports: readonly TestReport[]): string {
  const suites = Map.groupBy(reports, ({ className }) => className);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts(reports)}>`,
    ...[...suites].flatMap(([name, members]) => [
      `  <testsuite name="${escaped(name)}" ${counts(members)}>`,
      ...members.flatMap(testCase),
      '  </testsuite>',
    ]),
    '</testsuites>',
    '',
  ].join('\n');
}

function counts(reports: readonly TestReport[]): string {
  const { failed, error, skipped } = tallyOf(reports);
  const seconds = reports.reduce((sum, report) => sum + report.seconds, 0);
  return (
    `tests="${reports.length}" failures="${failed}" errors="${error}" skipped="${skipped}" ` +
    `time="${seconds.toFixed(6)}"`
  );
}

function testCase({ className, name, outcome, message, stack, seconds }: TestReport): string[] {
  const selector = name.replace(/^.*?>>#?/s, '');
  const head =
    `    <testcase classname="${escaped(className)}" name="${escaped(selector)}" ` +
    `time="${seconds.toFixed(6)}"`;
  if (outcome === 'passed') return [`${head}/>`];
  if (outcome === 'skipped') {
    return [`${head}>`, `      <skipped message="${escaped(message)}"/>`, '    </testcase>'];
  }
  const element = outcome === 'failed' ? 'failure' : 'error';
  const type =
    outcome === 'failed' ? 'TestFailure' : (/^[A-Z]\w*(?=:|$)/.exec(message)?.[0] ?? 'Error');
  return [
    `${head}>`,
    `      <${element} type="${escaped(type)}" message="${escaped(message)}">` +
      `${escaped(stack.join('\n'))}</${element}>`,
    '    </testcase>',
  ];
}

/** Text as an attribute or element takes it; what XML cannot hold becomes U+FFFD. */
function escaped(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\u{FFFD}')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\t', '&#9;')
    .replaceAll('\n', '&#10;')
    .replaceAll('\r', '&#13;');
}
