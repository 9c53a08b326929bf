/**
 * The supervisor: what stays when Smalltalk does not. It owns the console, starts the vm on a
 * generation, commits when that is due, and offers the recovery prompt. It never touches the heap
 * and never waits for the card, so Ctrl-C and the menu work whatever the image does.
 *
 * Invariants: at most one vm runs; the prompt returns after what it answered is durable; every
 * console line is in the change log before it runs.
 */
import { assert } from '../base/assert.ts';
import { StoreError } from '../store/store-error.ts';
import { dirtyPagesWorthCommit } from './checkpoint-policy.ts';
import type { SourcePiece } from './chunks.ts';
import type { Console } from './console.ts';
import { parseDebugCommand } from './debug-command.ts';
import { HeapWatch, Ladder } from './ladder.ts';
import type {
  CrashReason,
  DebugCommand,
  FrameLine,
  FromVm,
  GenerationLine,
  ToVm,
  UndeclaredName,
} from './messages.ts';
import { RecoveryMenu } from './recovery-menu.ts';
import type { StoreClient } from './store-client.ts';

/** A running vm thread. */
export interface VmHandle {
  /** Sends a message and wakes the vm, or interrupts what runs. */
  post(message: ToVm): void;
  /** Counts the vm's turns: unchanged means that it did nothing. */
  runs(): number;
  terminate(): Promise<void>;
  /** Whether it waits for something to do. */
  sleeps(): boolean;
  /** Bytes of its V8 heap, where no Smalltalk objects are. */
  heapBytes(): Promise<number>;
}

/** What a vm is started with. */
export interface VmStart {
  readonly generation: number;
  /** The generations there are, newest first. */
  readonly generations: readonly GenerationLine[];
  onMessage(message: FromVm): void;
  /** Says why the vm ended by itself. */
  onDeath(reason: string): void;
}

/** What the supervisor needs from whoever hosts it. */
export interface SupervisorHost {
  /** Starts a vm on the generation the region now shows. */
  startVm(start: VmStart): VmHandle;
  /** Empties the region and makes it show a generation. Rejects with the store's sentence. */
  showGeneration(generation: number): Promise<void>;
  /** Restarts or switches off what we run on; a host program just ends. */
  leave(how: 'restart' | 'poweroff' | 'exit'): Promise<never>;
  nowMs(): number;
  /** What happens is meant to last; if not, it is no news that it is not saved. */
  readonly keeps: boolean;
  /** How long a dead Smalltalk waits for a key, and a live one has to live to count as healthy. */
  readonly patienceMs: number;
  /**
   * The end of the console's input is the end of everything: so on a PC, never on the appliance.
   */
  readonly endsWithConsole: boolean;
}

/** When the recovery menu is offered at the start. */
export type MenuOffer = 'never' | 'at once' | { readonly withinMs: number };

/** How an evaluation ended. */
export type Outcome =
  | { readonly kind: 'value'; readonly text: string }
  | {
      readonly kind: 'compileError';
      readonly message: string;
      readonly line: number;
      readonly column: number;
    }
  | { readonly kind: 'error'; readonly description: string; readonly frames: readonly FrameLine[] }
  | { readonly kind: 'report'; readonly lines: readonly string[] }
  | { readonly kind: 'vmDied'; readonly reason: string };

const POLICY_TICK_MS = 1_000;
/** How long a vm may take to answer Ctrl-C before a second one ends it. */
const INTERRUPT_PATIENCE_MS = 2_000;
/** After that many starts in a row that failed, a person has to decide. */
const FAILED_STARTS_MAX = 3;
/** Source that is logged, run and committed at once; in UTF-8 it stays below 64 KiB. */
const BATCH_CHARACTERS_MAX = 16_000;
const PROMPT = 'st> ';

export class Supervisor {
  readonly #console: Console;
  readonly #store: StoreClient;
  readonly #host: SupervisorHost;

  #vm: VmHandle | null = null;
  #generation = 0;
  #waiting: { readonly id: number; readonly done: (outcome: Outcome) => void } | null = null;
  #tickets = new Map<number, (failure: string | null) => void>();
  #settledTicket = 0;
  #nextId = 1;
  /** Who hears of undeclared names; otherwise the person at the console. */
  #onUndeclared: ((name: UndeclaredName) => void) | null = null;
  #timers: NodeJS.Timeout[] = [];
  readonly #ladder: Ladder;
  readonly #watch = new HeapWatch();
  #commitMs = 0;
  #runsAtCommit = 0;
  #outside = false;
  #interruptMs = 0;
  #death: string | null = null;
  #commitTrouble: string | null = null;
  /** Gets news of tests; while somebody wants them, switching off only ends the vm. */
  onTestEvent: ((fields: readonly string[], activated: readonly string[]) => void) | null = null;

  constructor(console: Console, store: StoreClient, host: SupervisorHost) {
    this.#console = console;
    this.#store = store;
    this.#host = host;
    this.#ladder = new Ladder(store);
    store.onCommit = (news) => {
      if (news.kind === 'committed') {
        this.#generation = news.generation;
        this.#commitMs = host.nowMs();
        this.#commitTrouble = null;
        this.#settle(news.ticket, null);
      } else {
        this.#settle(news.ticket, news.message);
        this.#sayCommitTrouble(news.code, news.message);
      }
    };
  }

  /** The newest generation that is durable. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether everything answered so far is durable. */
  get isSaved(): boolean {
    return this.#commitTrouble === null;
  }

  /** The whole life of a machine with a person at its console; returns only by `leave`. */
  async live(
    head: GenerationLine,
    crash: CrashReason | null,
    { menu }: { menu: MenuOffer },
  ): Promise<never> {
    let generation = head.number;
    if (crash !== null) {
      this.#console.print(`The machine restarted: ${describeCrash(crash)}.`);
      generation = await this.#menuAfterDeath();
    } else if (menu === 'at once' || (menu !== 'never' && (await this.#offerMenu(menu.withinMs)))) {
      generation = await this.#menu(null);
    }
    for (;;) {
      try {
        await this.start(generation);
        await this.#converse();
      } catch (error) {
        this.#console.print(error instanceof Error ? error.message : String(error));
      }
      await this.stop();
      generation = await this.#menuAfterDeath();
    }
  }

  /** Starts the vm on a generation. Rejects with one sentence when it cannot. */
  async start(generation: number): Promise<void> {
    assert(this.#vm === null, 'a vm runs already');
    await this.#host.showGeneration(generation);
    this.#generation = generation;
    this.#death = null;
    this.#interruptMs = 0;
    const ready = Promise.withResolvers<void>();
    let started = false;
    this.#vm = this.#host.startVm({
      generation,
      generations: await this.#store.call('list', {}),
      onMessage: (message) => {
        if (message.kind !== 'ready') return this.#fromVm(message);
        started = true;
        ready.resolve();
      },
      onDeath: (reason) => {
        if (started) this.#died(reason);
        else ready.reject(new Error(`Cannot start generation ${generation}: ${reason}`));
      },
    });
    await ready.promise;
    this.#commitMs = this.#host.nowMs();
    this.#runsAtCommit = this.#vm.runs();
    this.#timers = [
      setInterval(() => this.#considerCommit(), POLICY_TICK_MS),
      setInterval(() => this.#watchHeap(), POLICY_TICK_MS),
      setTimeout(() => this.#ladder.healthy(), this.#host.patienceMs),
    ];
    this.#console.onInterrupt = () => this.#interrupt();
  }

  /** Ends the vm; what was not committed is gone. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    const vm = this.#vm;
    this.#vm = null;
    if (vm === null) return;
    await vm.terminate();
    await this.#store.call('detachVm', {}).catch(() => {}); // Without a store nothing is committed.
  }

  /** Ends the vm as if it had died: what waits for it is told the reason. */
  end(reason: string): void {
    this.#died(reason);
  }

  /** Evaluates one piece of source; resolves when its answer is durable. */
  async evaluate(source: string): Promise<Outcome> {
    const change = await this.#logChange(0, 'doit', source);
    const outcome = await this.#ask((id) => ({ kind: 'evaluate', id, source, batch: false }));
    await this.#logChange(change, 'outcome', outcomeText(outcome));
    return outcome;
  }

  /**
   * Evaluates pieces of a source file in order, up to the first that fails; what they did is
   * durable on return. Answers that piece with its outcome, null when all went well. Names that are
   * not declared yet are told to `onUndeclared`: a later piece may define them.
   */
  async fileIn(
    pieces: readonly SourcePiece[],
    onUndeclared: (piece: SourcePiece, name: UndeclaredName) => void = () => {},
  ): Promise<{ piece: SourcePiece; outcome: Outcome } | null> {
    const commit = (): Promise<Outcome> =>
      this.#ask((id) => ({ kind: 'evaluate', id, source: 'nil', batch: false }));
    for (const batch of batchesOf(pieces)) {
      const text = batch.map(({ source }) => source.trimStart()).join('!\n');
      const change = await this.#logChange(0, 'doit', text);
      for (const piece of batch) {
        const { source } = piece;
        this.#onUndeclared = (name) => onUndeclared(piece, name);
        const outcome = await this.#ask((id) => ({ kind: 'evaluate', id, source, batch: true }));
        this.#onUndeclared = null;
        if (outcome.kind === 'value') continue;
        await commit();
        await this.#logChange(change, 'outcome', outcomeText(outcome));
        return { piece, outcome };
      }
      await commit();
      await this.#logChange(change, 'outcome', 'finished');
    }
    return null;
  }

  /** The printString of an expression that only looks; it is not logged. Empty when it fails. */
  async query(source: string): Promise<string> {
    const outcome = await this.#ask((id) => ({ kind: 'evaluate', id, source, batch: false }));
    return outcome.kind === 'value' ? outcome.text : '';
  }

  #undeclared(name: UndeclaredName): void {
    if (this.#onUndeclared !== null) this.#onUndeclared(name);
    else this.#console.notice(`${name.message} (line ${name.line} column ${name.column})\n`);
  }

  /** Does something to the process that stopped in the debugger. */
  debug(command: DebugCommand): Promise<Outcome> {
    return this.#ask((id) => ({ kind: 'debug', id, command }));
  }

  #vmDied(): Outcome {
    return { kind: 'vmDied', reason: this.#death ?? 'it is not running' };
  }

  #ask(message: (id: number) => ToVm): Promise<Outcome> {
    const vm = this.#vm;
    if (vm === null || this.#death !== null) return Promise.resolve(this.#vmDied());
    assert(this.#waiting === null, 'two evaluations of one console');
    const id = this.#nextId++;
    this.#outside = true;
    return new Promise((resolve) => {
      this.#waiting = { id, done: resolve };
      vm.post(message(id));
    });
  }

  /** The console until the vm is gone. */
  async #converse(): Promise<void> {
    for (;;) {
      const event = await this.#console.readLine(PROMPT);
      if (this.#death !== null) return this.#tellDeath();
      if (event.kind === 'end' && this.#host.endsWithConsole) await this.#leave('exit');
      if (event.kind !== 'line' || event.text.trim() === '') continue;
      const outcome = await this.evaluate(event.text);
      const goesOn = await this.#show(outcome, event.text);
      if (!goesOn) return this.#tellDeath();
    }
  }

  /**
   * Shows an outcome, with the debugger's conversation if it is an error; false: the vm is gone.
   */
  async #show(first: Outcome, source: string): Promise<boolean> {
    let outcome = first;
    for (;;) {
      switch (outcome.kind) {
        case 'vmDied':
          return false;
        case 'value':
          this.#console.print(outcome.text);
          return true;
        case 'compileError':
          this.#console.print(source);
          this.#console.print(`${' '.repeat(Math.max(outcome.column - 1, 0))}^`);
          this.#console.print(outcome.message);
          return true;
        case 'error':
          this.#console.print(outcome.description);
          for (const frame of outcome.frames) this.#console.print(describeFrame(frame));
          break;
        case 'report':
          for (const line of outcome.lines) this.#console.print(line);
      }
      const next = await this.#debugConversation();
      if (next === null) return true;
      outcome = next;
    }
  }

  /** One command at the debugger's prompt; null when the person has left it. */
  async #debugConversation(): Promise<Outcome | null> {
    for (;;) {
      const event = await this.#console.readLine('debug> ');
      if (this.#death !== null) return this.#vmDied();
      if (event.kind !== 'line') return this.#abandon();
      const text = event.text.trim();
      if (text === '') continue;
      const command = parseDebugCommand(text);
      if (typeof command === 'string') {
        this.#console.print(command);
        continue;
      }
      if (command === null) {
        // An error in it has a debugger of its own, over this one.
        const outcome = await this.evaluate(text);
        if (!(await this.#show(outcome, text))) return this.#vmDied();
        continue;
      }
      if (command.name === 'abandon') return this.#abandon();
      return this.debug(command);
    }
  }

  async #abandon(): Promise<null> {
    await this.debug({ name: 'abandon' });
    return null;
  }

  #fromVm(message: FromVm): void {
    switch (message.kind) {
      case 'output':
        this.#console.write(message.text);
        return;
      case 'undeclared':
        this.#undeclared(message.name);
        return;
      case 'value':
        this.#finish(message.id, message.ticket, { kind: 'value', text: message.text });
        return;
      case 'compileError':
        this.#finish(message.id, 0, {
          kind: 'compileError',
          message: message.message,
          line: message.line,
          column: message.column,
        });
        return;
      case 'error':
        this.#errorFromVm(message);
        return;
      case 'report':
        this.#finish(message.id, 0, { kind: 'report', lines: message.lines });
        return;
      case 'test':
        this.onTestEvent?.(message.fields, message.activated);
        return;
      case 'shutdown':
        if (this.onTestEvent !== null) return this.#died('it was switched off');
        this.#durable(message.ticket).then(() =>
          this.#leave(message.how === 'poweroff' ? 'poweroff' : 'restart'),
        );
        return;
      case 'label': {
        const { generation, label } = message;
        this.#store
          .call('label', { generation, label })
          .catch((error: Error) => this.#console.write(`${error.message}\n`));
        return;
      }
      case 'interrupted':
        this.#interruptMs = 0;
        return;
      case 'ready':
      case 'stopped':
        return;
    }
  }

  #errorFromVm(message: Extract<FromVm, { kind: 'error' }>): void {
    const { id, description, frames } = message;
    if (id !== null && this.#waiting?.id === id) {
      this.#finish(id, message.ticket, { kind: 'error', description, frames });
      return;
    }
    const lines = frames.slice(0, 10).map((frame) => `${describeFrame(frame)}\n`);
    this.#console.notice(
      `Process ${message.process} stopped: ${description}\n${lines.join('')}It stays suspended.\n`,
    );
  }

  /** Hands over an outcome once the commit it came with is durable. */
  async #finish(id: number, ticket: number, outcome: Outcome): Promise<void> {
    const waiting = this.#waiting;
    if (waiting === null || waiting.id !== id) return;
    const failure = await this.#durable(ticket);
    if (this.#waiting !== waiting) return;
    this.#waiting = null;
    this.#interruptMs = 0;
    if (ticket !== 0 && failure === null) {
      // All that came from outside is durable; what the vm does from here on is background.
      this.#outside = false;
      this.#runsAtCommit = this.#vm?.runs() ?? 0;
    }
    waiting.done(outcome);
  }

  /** Resolves when the commit with that ticket has become durable, or has failed. */
  #durable(ticket: number): Promise<string | null> {
    if (ticket === 0 || ticket <= this.#settledTicket) return Promise.resolve(null);
    return new Promise((resolve) => this.#tickets.set(ticket, resolve));
  }

  #settle(ticket: number, failure: string | null): void {
    this.#settledTicket = Math.max(this.#settledTicket, ticket);
    for (const [each, settled] of [...this.#tickets]) {
      if (each > ticket) continue;
      this.#tickets.delete(each);
      settled(failure);
    }
  }

  /**
   * A commit that cannot be made is said with its reason once, until one succeeds again; in between
   * every answer that is not durable says so.
   */
  #sayCommitTrouble(code: string, reason: string): void {
    const known = this.#commitTrouble === code;
    this.#commitTrouble = code;
    if (!this.#host.keeps || (known && this.#waiting === null)) return;
    const why = known ? '.' : `: ${reason}`;
    this.#console.notice(`Not saved since generation ${this.#generation}${why}\n`);
  }

  #considerCommit(): void {
    const vm = this.#vm;
    if (vm === null || this.#waiting !== null) return;
    const worth = dirtyPagesWorthCommit({
      ran: vm.runs() !== this.#runsAtCommit,
      msSinceCommit: this.#host.nowMs() - this.#commitMs,
      outsideSinceCommit: this.#outside,
    });
    if (worth === null) return;
    this.#outside = false;
    this.#runsAtCommit = vm.runs();
    vm.post({ kind: 'checkpoint', dirtyPagesMin: worth });
  }

  /** A vm whose V8 heap runs away is ended before it takes the machine with it. */
  #watchHeap(): void {
    const vm = this.#vm;
    if (vm === null || this.#death !== null) return;
    this.#watch.look(vm, (bytes) => {
      if (this.#vm !== vm) return;
      this.#died(`its own memory has grown to ${Math.round(bytes / 2 ** 20)} MiB`);
    });
  }

  #interrupt(): void {
    const vm = this.#vm;
    if (vm === null) return;
    this.#console.write('^C\n');
    const now = this.#host.nowMs();
    if (this.#interruptMs !== 0 && now - this.#interruptMs > INTERRUPT_PATIENCE_MS) {
      this.#console.write('Smalltalk does not answer: it is stopped.\n');
      this.#died('it did not answer Ctrl-C and was stopped');
      return;
    }
    if (this.#interruptMs === 0) this.#interruptMs = now;
    vm.post({ kind: 'interrupt' });
  }

  #died(reason: string): void {
    if (this.#death !== null) return;
    this.#death = reason;
    for (const ticket of [...this.#tickets.keys()]) this.#settle(ticket, reason);
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null) waiting.done({ kind: 'vmDied', reason });
    else this.#console.cancelRead();
  }

  #tellDeath(): void {
    this.#console.print(
      `Smalltalk has stopped: ${this.#death ?? 'unknown reason'}. ` +
        `Generation ${this.#generation} is the last one saved.`,
    );
  }

  async #offerMenu(menuMs: number): Promise<boolean> {
    this.#console.print(
      `Palimpsest. Press any key within ${Math.ceil(menuMs / 1000)} s for the recovery menu.`,
    );
    return this.#console.keyWithin(menuMs);
  }

  /** The recovery prompt after a death: it goes on by itself, but not for ever. */
  async #menuAfterDeath(): Promise<number> {
    const failures = await this.#ladder.failed();
    if (failures < FAILED_STARTS_MAX) return this.#menu(this.#host.patienceMs);
    this.#console.print(
      `${failures} starts in a row have failed: Smalltalk is not started again without a word. ` +
        '"boot N" goes back to an earlier generation.',
    );
    return this.#menu(null);
  }

  /** The recovery prompt; answers the generation to start. */
  async #menu(continueAfterMs: number | null): Promise<number> {
    const menu = new RecoveryMenu(this.#console, this.#store);
    const decision = await menu.run({ continueAfterMs });
    switch (decision.kind) {
      case 'start':
        return decision.generation;
      case 'end':
        return this.#host.endsWithConsole ? this.#leave('exit') : this.#menu(continueAfterMs);
      default:
        return this.#leave(decision.kind);
    }
  }

  async #leave(how: 'restart' | 'poweroff' | 'exit'): Promise<never> {
    await this.stop();
    await this.#store.call('close', {}).catch(() => {}); // What could be saved is.
    return this.#host.leave(how);
  }

  /** Writes a line of the change log, durable on return; answers its number. */
  async #logChange(change: number, kind: 'doit' | 'outcome', text: string): Promise<number> {
    const record = {
      wallMs: Math.floor(this.#host.nowMs()),
      author: 'console',
      kind,
      generation: this.#generation,
      change,
      text,
    };
    try {
      return await this.#store.call('change', { record });
    } catch (error) {
      // The answer that follows is not durable either, and says so.
      if (error instanceof StoreError && this.#commitTrouble !== error.code)
        this.#sayCommitTrouble(error.code, error.message);
      return change;
    }
  }
}

/** Pieces by what one record of the change log takes. */
function batchesOf(pieces: readonly SourcePiece[]): SourcePiece[][] {
  const batches: SourcePiece[][] = [];
  let room = 0;
  for (const piece of pieces) {
    room -= piece.source.length;
    if (room < 0) {
      batches.push([]);
      room = BATCH_CHARACTERS_MAX - piece.source.length;
    }
    batches.at(-1)?.push(piece);
  }
  return batches;
}

function outcomeText(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'value':
    case 'report':
      return 'finished';
    case 'compileError':
      return `not compiled: ${outcome.message}`;
    case 'error':
      return `failed: ${outcome.description}`;
    case 'vmDied':
      return `killed the vm: ${outcome.reason}`;
  }
}

/** A line of a stack. */
export function describeFrame(frame: FrameLine): string {
  return `  ${frame.description}${frame.line === null ? '' : ` (line ${frame.line})`}`;
}

/** Why the machine died the last time, in words. */
export function describeCrash(crash: CrashReason): string {
  if (crash.signal === 0) return crash.text;
  const names: Record<number, string> = {
    4: 'SIGILL',
    5: 'SIGTRAP',
    6: 'SIGABRT',
    7: 'SIGBUS',
    8: 'SIGFPE',
    11: 'SIGSEGV',
    31: 'SIGSYS',
  };
  const name = names[crash.signal] ?? `signal ${crash.signal}`;
  return `the vm died of ${name} at address ${crash.addressHex}`;
}
