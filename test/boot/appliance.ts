/**
 * The harness of the boot tests: one appliance in QEMU, on a copy of the built image, driven
 * through its serial line as a person would. `pullPlug` is SIGKILL; the image file is the card that
 * stays.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { imagePath } from '../../build/lib/paths.ts';
import { bootQemu, cloneImage, type Machine, type QemuMachine } from '../../ci/qemu.ts';

/** Waits are for a machine that emulates; PALIMPSEST_SLOW stretches them. */
export const BOOT_MS = 180_000;
export const ANSWER_MS = 60_000;

/** A card: a copy of the built image that tests may change. */
export class Card {
  readonly image: string;
  readonly #dir: string;

  private constructor(dir: string) {
    this.#dir = dir;
    this.image = join(dir, 'card.img');
  }

  static async fresh(): Promise<Card> {
    const card = new Card(await mkdtemp(join(tmpdir(), 'palimpsest-card-')));
    await cloneImage(imagePath('rpi4'), card.image);
    return card;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#dir, { recursive: true, force: true });
  }
}

export interface BootOptions {
  readonly machine?: Machine;
  /** What must appear before `boot` answers; the Smalltalk prompt when it is left out. */
  readonly until?: string | RegExp;
  /** Press a key when the recovery menu is offered. */
  readonly menu?: boolean;
}

export class Appliance {
  readonly qemu: QemuMachine;

  constructor(qemu: QemuMachine) {
    this.qemu = qemu;
  }

  /** Types a line and answers what is printed before the next prompt. */
  async type(line: string, prompt = 'st> ', timeoutMs = ANSWER_MS): Promise<string> {
    this.qemu.write(`${line}\r`);
    await this.qemu.waitFor(`${line}\r\n`, timeoutMs);
    return this.untilPrompt(prompt, timeoutMs);
  }

  /** Answers what is printed up to the next prompt, without it. */
  async untilPrompt(prompt = 'st> ', timeoutMs = ANSWER_MS): Promise<string> {
    const pattern = new RegExp(`([\\s\\S]*?)(?:^|\\n)${prompt.replaceAll(/[>]/g, '\\$&')}`);
    const match = await this.qemu.waitFor(pattern, timeoutMs);
    return (match[1] ?? '').replaceAll('\r', '').trim();
  }

  /** The pulled plug. */
  async pullPlug(): Promise<void> {
    await this.qemu.kill('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pullPlug();
  }
}

/** Boots a card. */
export async function boot(card: Card, options: BootOptions = {}): Promise<Appliance> {
  const { machine = 'virt', menu = false, until = menu ? 'recovery> ' : 'st> ' } = options;
  const qemu = await bootQemu({ machine, image: card.image });
  try {
    if (menu) {
      await qemu.waitFor('recovery menu', BOOT_MS);
      qemu.write('\r');
    }
    await qemu.waitFor(until, BOOT_MS);
  } catch (error) {
    await qemu.kill('SIGKILL');
    throw error;
  }
  return new Appliance(qemu);
}
