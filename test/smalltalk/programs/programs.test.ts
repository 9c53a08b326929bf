/** Whole programs, written as for any Smalltalk, file in and do what they say. */
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { preparedPages, programs, runProgram } from './run.ts';

const pages = preparedPages();

describe('programs', () => {
  test.each(programs().map((path) => [basename(path), path]))('%s', (_, path) => {
    expect(runProgram(path, pages)).toEqual([]);
  });
});
