/**
 * The recovery prompt: what a person can do about the generations while no Smalltalk runs. It needs
 * the store and a console, nothing of the image, so it works whatever the image has become. Looking
 * changes nothing; going back appends a generation and can itself be undone the same way.
 */
import type { Console } from './console.ts';
import type { EditorEvent } from './line-editor.ts';
import type { GenerationLine } from './messages.ts';
import type { StoreClient } from './store-client.ts';

/** What the person decided. */
export type MenuDecision =
  | { readonly kind: 'start'; readonly generation: number }
  | { readonly kind: 'restart' | 'poweroff' }
  /** The console's input has ended. */
  | { readonly kind: 'end' };

const PROMPT = 'recovery> ';
const LIST_LINES = 20;
const CHANGE_LINES = 20;

const HELP = [
  'list [all]         the generations, newest first; * is the one that would start',
  'boot N             start generation N: it becomes a new generation, nothing is removed',
  'continue           start the newest generation',
  'verify             read and check every page of every generation',
  'label N TEXT       give generation N a name',
  'changes [COUNT]    the last console lines, with their outcomes',
  'reboot, poweroff   restart the machine, or switch it off',
  'help               this list',
];

/** A generation on one line. */
export function describeGeneration(line: GenerationLine, isHead: boolean): string {
  const when = line.wallMs > 0 ? new Date(line.wallMs).toISOString().slice(0, 19) : 'no clock';
  const size = line.pages < 256 ? `${line.pages * 4} KiB` : `${(line.pages / 256).toFixed(1)} MiB`;
  const label = line.label === null ? '' : `  "${line.label}"`;
  const number = String(line.number).padStart(7);
  return `${isHead ? '*' : ' '}${number}  ${when.replace('T', ' ')}  ${size.padStart(10)}  ${line.kind}${label}`;
}

export class RecoveryMenu {
  readonly #console: Console;
  readonly #store: StoreClient;

  constructor(console: Console, store: StoreClient) {
    this.#console = console;
    this.#store = store;
  }

  /**
   * Talks until the person decides. With a time it starts the newest generation when nothing is
   * typed for that long: a machine nobody looks at must come back by itself.
   */
  async run({ continueAfterMs }: { continueAfterMs: number | null }): Promise<MenuDecision> {
    this.#console.print('Recovery. "help" lists the commands, "continue" starts Smalltalk.');
    let idleMs = continueAfterMs;
    if (idleMs !== null) {
      const seconds = Math.ceil(idleMs / 1000);
      this.#console.print(`It continues by itself in ${seconds} s, unless a key is pressed.`);
    }
    for (;;) {
      const event = await this.#read(idleMs);
      if (event === null) return { kind: 'start', generation: await this.#head() };
      idleMs = null;
      if (event.kind === 'end') return { kind: 'end' };
      if (event.kind === 'interrupt') continue;
      try {
        const decision = await this.#obey(event.text.trim());
        if (decision !== null) return decision;
      } catch (error) {
        this.#console.print(error instanceof Error ? error.message : String(error));
      }
    }
  }

  #read(idleMs: number | null): Promise<EditorEvent | null> {
    return idleMs === null
      ? this.#console.readLine(PROMPT)
      : this.#console.readLineWithin(PROMPT, idleMs);
  }

  async #obey(line: string): Promise<MenuDecision | null> {
    const [word = '', ...rest] = line.split(/\s+/);
    switch (word) {
      case '':
        return null;
      case 'list':
        await this.#list(rest[0] === 'all');
        return null;
      case 'boot':
        return this.#boot(rest[0]);
      case 'continue':
        return { kind: 'start', generation: await this.#head() };
      case 'verify':
        await this.#verify();
        return null;
      case 'label':
        await this.#label(rest[0], rest.slice(1).join(' '));
        return null;
      case 'changes':
        await this.#changes(rest[0]);
        return null;
      case 'reboot':
        return { kind: 'restart' };
      case 'poweroff':
        return { kind: 'poweroff' };
      case 'help':
        for (const text of HELP) this.#console.print(text);
        return null;
      default:
        this.#console.print(`Cannot do "${word}": wanted one of the words that "help" lists`);
        return null;
    }
  }

  async #head(): Promise<number> {
    const [head] = await this.#store.call('list', {});
    return head?.number ?? 0;
  }

  async #list(all: boolean): Promise<void> {
    const generations = await this.#store.call('list', {});
    const shown = all ? generations : generations.slice(0, LIST_LINES);
    this.#console.print(' generation  when (UTC)              size  made by');
    for (const line of shown)
      this.#console.print(describeGeneration(line, line === generations[0]));
    const left = generations.length - shown.length;
    if (left > 0) this.#console.print(`${left} older ones: "list all" shows them`);
  }

  async #boot(word: string | undefined): Promise<MenuDecision | null> {
    const number = this.#number(word, 'boot');
    if (number === null) return null;
    if (number === (await this.#head())) return { kind: 'start', generation: number };
    const made = await this.#store.call('rollback', { generation: number });
    this.#console.print(`Generation ${number} is back, as generation ${made.number}.`);
    return { kind: 'start', generation: made.number };
  }

  async #verify(): Promise<void> {
    this.#store.onProgress = (done, total) => {
      this.#console.write(`\rverified ${Math.floor((100 * done) / Math.max(total, 1))} %`);
    };
    const { sentence } = await this.#store.call('verify', {});
    this.#store.onProgress = () => {};
    this.#console.print(sentence);
  }

  async #label(word: string | undefined, label: string): Promise<void> {
    const number = this.#number(word, 'label');
    if (number === null) return;
    if (label === '')
      return this.#console.print('Cannot label: found no text, wanted label N TEXT');
    await this.#store.call('label', { generation: number, label });
    this.#console.print(`Generation ${number} is now called "${label}".`);
  }

  async #changes(word: string | undefined): Promise<void> {
    const count = word === undefined ? CHANGE_LINES : this.#number(word, 'show changes');
    if (count === null) return;
    const changes = await this.#store.call('changes', { last: count });
    if (changes.length === 0) this.#console.print('Nothing has been changed from the console yet.');
    for (const change of changes) {
      const when = new Date(change.wallMs).toISOString().slice(0, 19).replace('T', ' ');
      const what = change.kind === 'outcome' ? `      → ${change.text}` : change.text;
      this.#console.print(`${String(change.change).padStart(6)}  ${when}  ${what}`);
    }
  }

  #number(word: string | undefined, action: string): number | null {
    if (word !== undefined && /^\d{1,15}$/.test(word)) return Number(word);
    const found = word === undefined ? 'nothing' : `"${word}"`;
    this.#console.print(`Cannot ${action}: found ${found}, wanted the number of a generation`);
    return null;
  }
}
