/**
 * One Smalltalk machine in this process: its threads started and connected. The appliance's PID 1
 * and the program on a PC are this same machine; they differ in the terminal, in what "leave" means
 * and in whether a native death restarts the machine.
 *
 *   main thread ── store worker (journal)        C thread (pager) serves the region's faults
 *        └──────── vm worker (interpreter, heap) ──commits──▶ store worker
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import { CHARACTER_CLASS_WORD } from '../memory/heap-start.ts';
import {
  CHAR_END,
  CHAR0,
  CONTROL,
  INTERRUPT,
  OLD_START,
  PAGE_BYTES,
  PAGE_WORDS,
  REGION_WORDS_MAX,
  REMEMBERED_END,
  ROOT_START,
  START_TABLE_START,
  SURVIVOR_A_START,
  SURVIVOR_END,
  UNREADABLE_CLASS_WORD,
  WORD_BYTES,
} from '../objects/layout.ts';
import type { Console } from '../supervisor/console.ts';
import { VM_V8_HEAP_BYTES_MAX } from '../supervisor/ladder.ts';
import { type FromVm, SIGNAL, SIGNAL_WORDS, type StoreRequests } from '../supervisor/messages.ts';
import { type FromStore, StoreClient } from '../supervisor/store-client.ts';
import {
  Supervisor,
  type SupervisorHost,
  type VmHandle,
  type VmStart,
} from '../supervisor/supervisor.ts';
import { type Addon, loadAddon, PAGE_KIND } from './addon.ts';
import { forwardClock } from './clock.ts';
import type { MapWorkerData } from './map-worker.ts';
import type { StoreWorkerData } from './store-worker.ts';
import type { VmWorkerData } from './vm-worker.ts';

export interface MachineOptions {
  /** File, image or device with the journal. */
  readonly path: string;
  /** Nothing that happens is kept: the file is only read. */
  readonly scratch: boolean;
  readonly console: Console;
  /** RAM for the heap; what there is when it is left out. */
  readonly ramBytes?: number | null;
  /** PID 1: a native death leaves its reason in the journal and restarts the machine. */
  readonly leaveCrashes: boolean;
  readonly endsWithConsole: boolean;
  /** Whether tests are run, and the methods they activate counted. */
  readonly tests?: VmWorkerData['tests'];
  /** See SupervisorHost; 60 s when it is left out. */
  readonly patienceMs?: number;
  readonly leave: SupervisorHost['leave'];
}

const REGION_BYTES = REGION_WORDS_MAX * WORD_BYTES;
/** Stack of the vm's thread: the interpreter bounds its depth well below (DEPTH_MAX). */
const VM_STACK_MIB = 16;
/** V8's own heap in the vm's thread: caches and decoded methods. The supervisor watches it, too. */
const VM_V8_HEAP_MIB = VM_V8_HEAP_BYTES_MAX / 2 ** 20;
const PATIENCE_MS = 60_000;

/** Room for the tickets of one vm thread: a later thread's are always higher. */
const TICKETS_PER_VM = 2 ** 32;

/** The parts of the region whose pages come from the journal (or are synthesized). */
const PAGED_RANGES: readonly (readonly [number, number, number])[] = [
  [ROOT_START, REMEMBERED_END, PAGE_KIND.table],
  [SURVIVOR_A_START, SURVIVOR_END, PAGE_KIND.objects],
  [CHAR0, CHAR_END, PAGE_KIND.characters],
  [START_TABLE_START, OLD_START, PAGE_KIND.table],
  [OLD_START, REGION_WORDS_MAX, PAGE_KIND.objects],
];

export class Machine {
  readonly addon: Addon;
  readonly supervisor: Supervisor;
  readonly opened: StoreRequests['open']['reply'];
  readonly store: StoreClient;

  /** Opens the journal and makes the threads. Rejects with a StoreError's sentence. */
  static async open(options: MachineOptions): Promise<Machine> {
    const addon = loadAddon();
    addon.reserve(REGION_BYTES);
    const signals = new SharedArrayBuffer(SIGNAL_WORDS * 4);
    const { store, worker } = startStore(options, signals);
    const { path, scratch } = options;
    const reader = startReader(path, worker);
    const readerIsReady = once(reader, 'message');
    try {
      const [opened] = await Promise.all([
        store.call('open', { path, write: true, scratch }),
        readerIsReady,
      ]);
      startPager(addon, path, opened);
      return new Machine({ options, addon, signals, store, worker, reader, opened });
    } catch (error) {
      await Promise.all([worker.terminate(), reader.terminate()]);
      throw error;
    }
  }

  private constructor(parts: {
    options: MachineOptions;
    addon: Addon;
    signals: SharedArrayBuffer;
    store: StoreClient;
    worker: Worker;
    reader: Worker;
    opened: StoreRequests['open']['reply'];
  }) {
    const { options, addon, signals, store, worker, reader, opened } = parts;
    this.addon = addon;
    this.store = store;
    this.opened = opened;
    let count = 0;
    this.supervisor = new Supervisor(options.console, store, {
      startVm: (start) => {
        const vmData = {
          signals,
          regionBytes: REGION_BYTES,
          ramBytes: options.ramBytes ?? null,
          firstTicket: ++count * TICKETS_PER_VM,
          signalStack: options.leaveCrashes,
          tests: options.tests ?? 'none',
        };
        return startVm({ addon, worker, vmData, start });
      },
      showGeneration: async (generation) => {
        const tables = await store.call('pageTables', { generation });
        addon.resetRegion();
        reader.postMessage(tables);
        await once(reader, 'message');
      },
      leave: options.leave,
      nowMs: forwardClock(opened.head.wallMs),
      keeps: !options.scratch,
      patienceMs: options.patienceMs ?? PATIENCE_MS,
      endsWithConsole: options.endsWithConsole,
    });
  }
}

function workerFile(name: string): string {
  const extension = import.meta.filename.endsWith('.ts') ? 'ts' : 'js';
  return join(import.meta.dirname, `${name}.${extension}`);
}

function startStore(
  options: MachineOptions,
  signals: SharedArrayBuffer,
): { store: StoreClient; worker: Worker } {
  const workerData: StoreWorkerData = { signals, leaveCrashes: options.leaveCrashes };
  const worker = new Worker(workerFile('store-worker'), { workerData });
  const store = new StoreClient((call) => worker.postMessage(call));
  worker.on('message', (message: FromStore) => store.receive(message));
  worker.on('error', (error: Error) => {
    const reason = `the journal's thread has stopped: ${error.message}`;
    options.console.write(`${reason}\nNothing more can be saved; what was saved is safe.\n`);
    const words = new Int32Array(signals);
    Atomics.store(words, SIGNAL.storeGone, 1);
    Atomics.add(words, SIGNAL.wake, 1);
    Atomics.notify(words, SIGNAL.wake);
    store.fail(reason);
  });
  return { store, worker };
}

/**
 * Starts the reader of page tables; it says when it is ready for the pager. It cannot refuse
 * anything; a bug in it would leave faults waiting for ever, so it is let end the process.
 */
function startReader(path: string, store: Worker): Worker {
  const { port1: storeSide, port2: storePort } = new MessageChannel();
  store.postMessage({ kind: 'attachReader', port: storeSide }, [storeSide]);
  const workerData: MapWorkerData = { path, storePort };
  return new Worker(workerFile('map-worker'), { workerData, transferList: [storePort] });
}

function startPager(
  addon: Addon,
  path: string,
  { baseBytes, scratchFd }: StoreRequests['open']['reply'],
): void {
  const ranges = PAGED_RANGES.flatMap(([start, end, kind]) => [
    start / PAGE_WORDS,
    end / PAGE_WORDS,
    kind,
  ]);
  addon.startPager(
    path,
    baseBytes,
    scratchFd ?? -1,
    CHARACTER_CLASS_WORD,
    UNREADABLE_CLASS_WORD,
    Float64Array.from(ranges),
  );
}

/** Starts a vm thread with its own line to the store. */
function startVm(parts: {
  addon: Addon;
  worker: Worker;
  vmData: Omit<VmWorkerData, 'storePort' | 'generation' | 'generations'>;
  start: VmStart;
}): VmHandle {
  const { addon, worker, vmData, start } = parts;
  const { port1: storeSide, port2: storePort } = new MessageChannel();
  worker.postMessage({ kind: 'attachVm', port: storeSide }, [storeSide]);
  const { generation, generations } = start;
  const workerData: VmWorkerData = { ...vmData, storePort, generation, generations };
  const vm = new Worker(workerFile('vm-worker'), {
    workerData,
    transferList: [storePort],
    resourceLimits: { stackSizeMb: VM_STACK_MIB, maxOldGenerationSizeMb: VM_V8_HEAP_MIB },
  });
  const signals = new Int32Array(vmData.signals);
  const control = new Int32Array(addon.view(0, PAGE_BYTES));
  Atomics.store(signals, SIGNAL.sleeps, 0);
  Atomics.store(signals, SIGNAL.output, 0);
  let over = false;
  const died = (reason: string): void => {
    if (over) return;
    over = true;
    start.onDeath(reason);
  };
  vm.on('message', (message: FromVm) => {
    if (over) return;
    start.onMessage(message);
    if (message.kind !== 'output') return;
    Atomics.sub(signals, SIGNAL.output, message.text.length);
    Atomics.notify(signals, SIGNAL.output);
  });
  vm.on('error', (error) => died(error instanceof Error ? error.message : String(error)));
  vm.on('exit', (code) => died(`its thread ended with status ${code}`));
  return {
    post: (message) => {
      vm.postMessage(message);
      Atomics.or(control, CONTROL.interrupt, INTERRUPT.host);
      Atomics.add(signals, SIGNAL.wake, 1);
      Atomics.notify(signals, SIGNAL.wake);
    },
    runs: () => Atomics.load(signals, SIGNAL.runs),
    sleeps: () => Atomics.load(signals, SIGNAL.sleeps) !== 0,
    heapBytes: async () => (await vm.getHeapStatistics()).total_heap_size,
    terminate: async () => {
      over = true;
      await vm.terminate();
    },
  };
}
