/**
 * Writes a blank journal. The rings are cleared first, so that a power cut while formatting leaves
 * no journal rather than half of an old one.
 */
import { assert } from '../base/assert.ts';
import { viewOf } from '../base/bytes.ts';
import { STREAM_START } from './changes.ts';
import {
  CRASH_BLOCK_OFFSET,
  FIRST_SEGMENT,
  RING_BLOCKS,
  recordNumber,
  SEGMENT_BYTES_DEFAULT,
  SEGMENT_BYTES_MAX,
  SEGMENT_BYTES_MIN,
  sumBlocks,
  UNIT,
} from './format.ts';
import { LogWriter } from './log-writer.ts';
import { encodeDelta, writeRecord } from './record.ts';
import { Segments } from './segments.ts';
import { PAGE_BYTES, type Storage } from './storage.ts';
import { StoreError } from './store-error.ts';
import { emptyTables } from './tables.ts';
import { formatUnversioned } from './unversioned.ts';

export interface FormatOptions {
  /** A power of two from 64 KiB to 128 MiB; default 4 MiB. */
  segmentBytes?: number;
  wallClockMs: number | (() => number);
  random: (bytes: number) => Uint8Array;
}

const SEGMENTS_MIN = 8;

/** Formats `storage`: generation 0 with an empty page table, no journal id yet. */
export function formatJournal(storage: Storage, options: FormatOptions): void {
  const segmentBytes = options.segmentBytes ?? defaultSegmentBytes(storage.sizeBytes);
  assert(
    segmentBytes >= SEGMENT_BYTES_MIN &&
      segmentBytes <= SEGMENT_BYTES_MAX &&
      (segmentBytes & (segmentBytes - 1)) === 0,
    'segment size',
  );
  const count = Math.min(
    Math.floor(storage.sizeBytes / segmentBytes),
    Segments.countMax(segmentBytes),
  );
  if (count < SEGMENTS_MIN) {
    throw new StoreError(
      'PARTITION_TOO_SMALL',
      `Cannot make a journal: ${storage.sizeBytes} bytes are ${count} segments of ` +
        `${segmentBytes} bytes, at least ${SEGMENTS_MIN} are needed`,
    );
  }
  const nothing = storage.allocate(RING_BLOCKS * PAGE_BYTES);
  storage.write(0, nothing);
  storage.write(segmentBytes, nothing);
  storage.write(CRASH_BLOCK_OFFSET, nothing.subarray(0, PAGE_BYTES));
  formatUnversioned(storage, segmentBytes);
  storage.flush();
  const { wallClockMs } = options;
  const wallMs = typeof wallClockMs === 'number' ? wallClockMs : wallClockMs();
  writeFirst(storage, new Segments(segmentBytes, count), wallMs, options.random);
}

function writeFirst(
  storage: Storage,
  segments: Segments,
  wallMs: number,
  random: (bytes: number) => Uint8Array,
): void {
  const salt = viewOf(random(4)).getUint32(0, true);
  const superblock = {
    number: 0,
    id: new Uint8Array(16),
    nonce: random(8),
    formattedMs: wallMs,
    writtenMs: wallMs,
    sizeBytes: storage.sizeBytes,
    segmentBytes: segments.segmentBytes,
    segmentCount: segments.count,
    mount: 1,
    salt,
    startSequence: 0,
    startPhysical: 0,
    startChecksum: 0,
    tablePhysical: 0,
    tableSlot: 0,
    tableChecksum: 0,
    tableBlocks: 0,
  };
  const writer = new LogWriter(storage, segments, {
    superblock,
    chainEnd: { sequence: 0, physical: 0, checksum: 0, nextPhysical: FIRST_SEGMENT, end: 0 },
    lastPoint: { address: 0, checksum: 0 },
    lastCommit: 0,
    mount: 1,
    salt,
    totals: { bytes: 0, pages: 0, flushes: 0, flushMicros: 0 },
    monotonicMs: () => 0,
    blockSums: sumBlocks,
  });
  writer.wallMs = wallMs;
  writer.mount();
  const record = {
    generation: 0,
    parent: null,
    wallMs,
    journalMs: 0,
    kind: 'format' as const,
    administrative: false,
    pages: 0,
    bytes: 0,
    changesEnd: STREAM_START,
    totals: writer.totals,
    slowestFlushMicros: 0,
    origin: null,
    label: null,
    meta: new Uint8Array(0),
    state: emptyTables(),
  };
  const delta = encodeDelta(record.state.delta, writer.pointSequence(), PAGE_BYTES);
  assert(delta !== null, 'an empty delta fits');
  writer.point(UNIT.commit, recordNumber(0), (block, offset) =>
    writeRecord(block, offset, record, delta),
  );
}

/** 4 MiB, less on small partitions so that there are segments enough to work with. */
function defaultSegmentBytes(sizeBytes: number): number {
  let segmentBytes = SEGMENT_BYTES_DEFAULT;
  while (segmentBytes > SEGMENT_BYTES_MIN && sizeBytes / segmentBytes < 64) segmentBytes /= 2;
  while (Segments.countMax(segmentBytes) * segmentBytes < sizeBytes) {
    if (segmentBytes === SEGMENT_BYTES_MAX) break;
    segmentBytes *= 2;
  }
  return segmentBytes;
}
