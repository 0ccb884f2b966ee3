/**
 * Gets the outbox to the server: one message at a time and in order, again when no answer came, later when the server
 * asks for it. Knows when to send; what is said by it and where is the chat's business.
 */
import type { Drawer } from "./drawer";
import * as box from "./outbox";
import type { Accepted, Refusal, WireError } from "./wire";

/** Silent tries on a connection that stands, and tries at all: a message that breaks every connection must end too. */
const MAX_TRIES = 3;
const MAX_CUTS = 10;
/** Seconds between two tries of a message that the server will not have yet. More only if the server says so. */
const MAX_WAIT = 30;
const HOUR = 3_600;

/** What it needs of the chat. */
export interface Desk {
  /** The conversation that can be written in now, or null. */
  open(): string | null;
  hand(message: box.Outgoing): Promise<unknown>;
  accepted(accepted: Accepted, message: box.Outgoing, conversation: string): void;
  changed(): void;
}

export type Kept = Pick<Drawer, "read" | "write">;

export class Delivery {
  readonly #desk: Desk;
  readonly #drawer: Kept;
  readonly #unanswered: WireError;
  #outbox: box.Outbox;
  #requesting = false;
  /** A turn ended while the message was on its way: a "busy" that comes back may be out of date. */
  #freed = false;
  #refusals = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(desk: Desk, drawer: Kept, unanswered: WireError) {
    this.#desk = desk;
    this.#drawer = drawer;
    this.#unanswered = unanswered;
    this.#outbox = drawer.read();
  }

  get outbox(): box.Outbox {
    return this.#outbox;
  }

  /** Takes over what became of the outbox, in `change`'s words, and sends what can be sent. */
  update(change: (outbox: box.Outbox) => box.Outbox): void {
    const next = change(this.#outbox);
    if (next !== this.#outbox) this.#drawer.write((this.#outbox = next));
    void this.#sendNext();
  }

  /** Waiting has become pointless: there is room again (`freed`), or a new connection. */
  release(freed = false): void {
    this.#freed ||= freed;
    const held = this.#outbox.find((message) => message.state === "held");
    if (!held || (freed && held.error?.code !== "busy")) return;
    clearTimeout(this.#timer);
    this.update(box.released);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  async #sendNext(): Promise<void> {
    const message = box.nextToSend(this.#outbox);
    const conversation = this.#desk.open();
    if (!message || !conversation || this.#requesting) return;
    this.#requesting = true;
    this.#freed = false;
    this.update((outbox) => box.sending(outbox, message.clientId, conversation));
    let answer: Accepted | Refusal | null = null;
    try {
      answer = (await this.#desk.hand(message)) as Accepted | Refusal | null;
    } catch {
      // No answer: the server may or may not have it, so the same message goes again.
    }
    this.#requesting = false;
    if (answer?.ok) this.#accept(answer, message, conversation);
    else this.#notAccepted(message.clientId, answer);
    this.#desk.changed();
  }

  #accept(accepted: Accepted, message: box.Outgoing, conversation: string): void {
    this.#refusals = 0;
    this.#desk.accepted(accepted, message, conversation);
    this.update((outbox) => box.without(outbox, new Set([message.clientId])));
  }

  #notAccepted(clientId: string, refusal: Refusal | null): void {
    const tries = this.#outbox.find((message) => message.clientId === clientId)?.tries ?? 0;
    const hopeless = tries >= (this.#desk.open() ? MAX_TRIES : MAX_CUTS);
    const error = refusal?.error ?? (refusal || hopeless ? this.#unanswered : null);
    if (!error) this.update((outbox) => box.unanswered(outbox, clientId));
    else if (typeof error.retry_after === "number") this.#hold(clientId, error, error.retry_after);
    else this.update((outbox) => box.refused(outbox, clientId, error));
  }

  #hold(clientId: string, error: WireError, asked: number): void {
    const least = Math.min(HOUR, Math.max(1, asked));
    const wait = this.#freed && error.code === "busy" ? 0 : Math.max(least, Math.min(MAX_WAIT, least * 2 ** this.#refusals++));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.release();
      this.#desk.changed();
    }, wait * 1_000 * (1 + Math.random() / 5));
    this.update((outbox) => box.held(outbox, clientId, error));
  }
}
