/** What the journal says of a page's place, as the pager's map wants it. */
import type { MapPlace } from '../pager/page-map.ts';
import { pageChecksum } from '../store/format.ts';
import type { PagePlace } from '../store/journal.ts';
import type { ScratchStorage } from './scratch-storage.ts';

const NO_BYTES = new Uint8Array(0);

/** `overlay`: where blocks lie that are not in the journal's file; null: there are none. */
export function mapPlace(
  { page, offsetBytes, checksum }: PagePlace,
  overlay: ScratchStorage | null,
): MapPlace {
  return {
    page,
    offsetBytes,
    checksum,
    prefixCrc: pageChecksum(page, offsetBytes, NO_BYTES),
    scratch: overlay?.has(offsetBytes) ?? false,
  };
}
