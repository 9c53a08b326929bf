import { describe, expect, test } from 'vitest';
import { journalHealth } from './health.ts';
import { Journal } from './journal.ts';
import { MemoryStorage } from './memory-storage.ts';
import { PAGE_BYTES } from './storage.ts';

const DAY_MS = 86_400_000;

/** A journal of commits of `pages` pages, `everyMs` apart, whose flushes take what `flushMs` says. */
function journalOf(commits: number, everyMs: number, flushMs: (commit: number) => number): Journal {
  const storage = new MemoryStorage(64 * 1024 * 1024);
  const random = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(7);
  Journal.format(storage, { wallClockMs: 0, random });
  let now = 0;
  let step = 0;
  const monotonicMs = (): number => {
    now += step;
    return now;
  };
  const journal = Journal.open(storage, { write: true, wallClockMs: 0, random, monotonicMs });
  for (let commit = 0; commit < commits; commit++) {
    step = flushMs(commit);
    const bytes = new Uint8Array(PAGE_BYTES).fill(commit + 1);
    const pages = [0, 1, 2, 3].map((page) => ({ page, bytes }));
    journal.commit({ pages, wallMs: (commit + 1) * everyMs, journalMs: 0 });
  }
  return journal;
}

describe('journalHealth()', () => {
  test('tells bytes a day, amplification and a card that becomes slow', () => {
    const journal = journalOf(80, DAY_MS / 24, (commit) => (commit < 40 ? 2 : 8));
    const health = journalHealth(journal.generations());
    const commitBytes = journal.head.bytes;
    expect(commitBytes).toBeGreaterThanOrEqual(4 * PAGE_BYTES);
    expect(health.writeAmplification).toBeGreaterThanOrEqual(1);
    expect(health.writeAmplification).toBeLessThan(2);
    expect(health.bytesPerDay).toBeGreaterThanOrEqual(24 * 4 * PAGE_BYTES);
    expect(health.bytesPerDay).toBeLessThan(24 * 8 * PAGE_BYTES);
    expect(health.latency).toHaveLength(8);
    expect(health.latency[1]?.meanMicros).toBe(2000);
    expect(health.latency.at(-1)?.meanMicros).toBe(8000);
    expect(health.latency.at(-1)?.slowestMicros).toBe(8000);
    expect(health.latencyTrend).toBeGreaterThan(3);
  });

  test('says nothing about what it cannot know', () => {
    const fresh = journalOf(0, 0, () => 0);
    expect(journalHealth(fresh.generations())).toEqual({
      bytes: fresh.head.totals.bytes,
      writeAmplification: null,
      bytesPerDay: null,
      latency: [],
      latencyTrend: null,
    });
    const untimed = journalHealth(journalOf(5, 1, () => 0).generations());
    expect([untimed.bytesPerDay, untimed.latency]).toEqual([null, []]);
  });
});

test('measureLive() counts what vacuum would keep', () => {
  const journal = journalOf(20, 1, () => 0);
  const measured = (): number => {
    const steps = journal.measureLive();
    for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value.liveBytes;
  };
  const before = measured();
  journal.forget(
    journal
      .generations()
      .slice(1)
      .map(({ number }) => number),
  );
  const after = measured();
  expect(after).toBeGreaterThanOrEqual(4 * PAGE_BYTES);
  expect(before - after).toBeGreaterThanOrEqual(19 * 4 * PAGE_BYTES);
});
