import { describe, expect, test } from 'vitest';
import type { TestReport } from '../supervisor/test-session.ts';
import { junitXml } from './junit.ts';

const PASSED: TestReport = {
  name: 'FooTest>>#testA',
  className: 'FooTest',
  outcome: 'passed',
  message: '',
  stack: [],
  seconds: 0.0125,
};

describe('junitXml()', () => {
  test('one suite a class, with counts and times', () => {
    const xml = junitXml([
      PASSED,
      { ...PASSED, name: 'FooTest>>#testB', outcome: 'skipped', message: 'not here' },
      { ...PASSED, className: 'BarTest', name: 'BarTest>>#testC(a: 1)', outcome: 'failed' },
    ]);
    expect(xml).toContain('<testsuites tests="3" failures="1" errors="0" skipped="1"');
    expect(xml).toContain(
      '<testsuite name="FooTest" tests="2" failures="0" errors="0" skipped="1" time="0.025000">',
    );
    expect(xml).toContain('<testcase classname="FooTest" name="testA" time="0.012500"/>');
    expect(xml).toContain('<testcase classname="BarTest" name="testC(a: 1)"');
    expect(xml).toContain('<skipped message="not here"/>');
  });

  test('messages and stacks are escaped, and nothing else than XML allows gets in', () => {
    const xml = junitXml([
      {
        ...PASSED,
        outcome: 'error',
        message: 'KeyNotFound: "a" < \'b\' & c\n\0\u{D800}\u{1F600}',
        stack: ['Foo>>bar', '[] in Foo>><'],
      },
    ]);
    expect(xml).toContain(
      '<error type="KeyNotFound" message="KeyNotFound: &quot;a&quot; &lt; \'b\' &amp; c&#10;' +
        '\u{FFFD}\u{FFFD}\u{1F600}">Foo&gt;&gt;bar&#10;[] in Foo&gt;&gt;&lt;</error>',
    );
  });

  test('no tests are a document too', () => {
    expect(junitXml([])).toMatch(/<testsuites tests="0"[^>]*>\n<\/testsuites>\n$/);
  });
});
