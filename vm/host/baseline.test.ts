import { describe, expect, test } from 'vitest';
import { inLoadOrder, readBaseline } from './baseline.ts';

describe('readBaseline()', () => {
  test('packages with what they require, and those of other systems', () => {
    const { packages, foreign } = readBaseline(`baseline: spec
	<baseline>
	spec for: #(#common #gemstone) do: [
		spec
			package: 'Tests' with: [ spec requires: #('Core' #Tools) ];
			package: 'Core';
			package: 'Tools' with: [ spec requires: 'Core'; includes: { 'Extra' } ].
		spec group: 'default' with: #('Core') ].
	spec for: #gemstone do: [ spec package: 'Stone'; package: 'Core' ].
	spec for: #'pharo12.x' do: [ spec package: 'New' ].
	spec for: #'pharo6.x' do: [ spec package: 'Old' ]`);
    expect([...packages]).toEqual([
      ['Tests', ['Core', 'Tools']],
      ['Core', []],
      ['Tools', ['Core']],
      ['Extra', ['Tools']],
      ['New', []],
    ]);
    expect([...foreign]).toEqual(['Stone', 'Old']);
  });
});

describe('inLoadOrder()', () => {
  test('what is required comes first, also in circles', () => {
    const requirements = new Map([
      ['a', ['c', 'unknown']],
      ['c', ['b', 'a']],
    ]);
    expect(inLoadOrder(['a', 'b', 'c'], requirements)).toEqual(['b', 'c', 'a']);
  });
});
