/**
 * The store's thread: the only one that writes the journal. It answers the supervisor's calls one
 * at a time and makes the vm's checkpoints durable, in the order they come.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { assert } from '../base/assert.ts';
import { CONTROL, INTERRUPT, PAGE_BYTES } from '../objects/layout.ts';
import { PageMap } from '../pager/page-map.ts';
import { StoreError } from '../store/store-error.ts';
import { SIGNAL, type VmToStore } from '../supervisor/messages.ts';
import type { FromStore, StoreCall } from '../supervisor/store-client.ts';
import { loadAddon } from './addon.ts';
import { CommitLine } from './commit-line.ts';
import { openJournalFile } from './storage-file.ts';
import { StoreService } from './store-service.ts';

export interface StoreWorkerData {
  readonly signals: SharedArrayBuffer;
  /** PID 1: a native death leaves its reason in the journal and restarts the machine. */
  readonly leaveCrashes: boolean;
}

/** A new vm thread's line: its commits come here, news of them go back. */
interface AttachVm {
  readonly kind: 'attachVm';
  readonly port: MessagePort;
}

/** The line of the reader of page tables: any message asks for the head's. */
interface AttachReader {
  readonly kind: 'attachReader';
  readonly port: MessagePort;
}

/** Runs this thread. */
function main({ signals, leaveCrashes }: StoreWorkerData): void {
  const supervisor = parentPort;
  assert(supervisor !== null, 'the store runs in a worker');
  const addon = loadAddon();
  if (leaveCrashes) addon.signalStack();
  const wake = new Int32Array(signals);
  const service = new StoreService({
    openStorage: (path, write) => openJournalFile(path, { write, addon }),
    armCrashHandler: (file, offsetBytes) => {
      if (leaveCrashes) addon.installCrashHandler(file.fd, file.baseBytes + offsetBytes, true);
    },
    map: () => new PageMap(addon.mapView(), crc32),
    blockSums: addon.sumBlocks,
    progress: (done, total) => supervisor.postMessage({ kind: 'progress', done, total }),
  });
  let vmPort: MessagePort | null = null;
  supervisor.on('message', (message: StoreCall | AttachVm | AttachReader) => {
    if ('port' in message && message.kind === 'attachReader') {
      const { port } = message;
      port.on('message', () =>
        port.postMessage(
          guarded(
            () => service.headTables(),
            () => null,
          ),
        ),
      );
      return;
    }
    if ('port' in message) {
      // What a vm that is gone still had on its line is dropped with the line.
      vmPort?.close();
      vmPort = message.port;
      service.unstage();
      takeCommits(vmPort);
      return;
    }
    const { id, name, request } = message;
    if (name === 'detachVm') vmPort?.close();
    supervisor.postMessage(
      guarded<FromStore>(
        () => ({ kind: 'answer', id, value: service.handle(name, request) }),
        (refusal) => ({ kind: 'refusal', id, ...refusal }),
      ),
    );
  });
  const takeCommits = (port: MessagePort): void => {
    // The control page is never missing: the only part of the region this thread may touch.
    const control = new Int32Array(addon.view(0, PAGE_BYTES));
    const line = new CommitLine({
      stage: (pages, bytes) => service.stage(pages, bytes),
      commit: (pages, bytes) => service.commit(pages, bytes),
      tell: (news) => {
        if (news.kind === 'committed' || news.kind === 'commitFailed') supervisor.postMessage(news);
        port.postMessage(news);
        // A vm that runs hears it at its next safepoint, one that sleeps wakes.
        Atomics.or(control, CONTROL.interrupt, INTERRUPT.host);
        Atomics.add(wake, SIGNAL.wake, 1);
        Atomics.notify(wake, SIGNAL.wake);
      },
    });
    port.on('message', (message: VmToStore) => line.take(message));
  };
}

/** An operating error is answered; a bug ends this thread and is told by whoever started it. */
function guarded<T>(body: () => T, refused: (refusal: { code: string; message: string }) => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof StoreError) return refused({ code: error.code, message: error.message });
    throw error;
  }
}

main(workerData as StoreWorkerData);
