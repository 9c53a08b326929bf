/**
 * The thread of the reader of page tables (map-reader.ts): its lines to the store and to whoever
 * started it. It says when faults may come, and when it has taken over other tables.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { assert } from '../base/assert.ts';
import { loadAddon } from './addon.ts';
import { MapReader, type PageTables } from './map-reader.ts';

export interface MapWorkerData {
  readonly path: string;
  /** To the store's thread: any message asks for the head's tables; null is none. */
  readonly storePort: MessagePort;
}

assert(parentPort !== null, 'the reader of page tables runs in a worker');
const starter = parentPort;
const { path, storePort } = workerData as MapWorkerData;
const reader = new MapReader({
  path,
  addon: loadAddon(),
  askStore: () => storePort.postMessage(null),
});
storePort.on('message', (tables: PageTables | null) => reader.newTables(tables));
starter.on('message', (tables: PageTables) => {
  reader.use(tables);
  starter.postMessage(null);
});
starter.postMessage(null);
