/** What a page's own scripts can do with the chat: `window.AssistantChat`, and the events that it tells. */

import { warn } from "./options";

export interface Events {
  /** A conversation is there; told again when another one takes its place. Whoever asks late is told at once. */
  ready: { conversation_uuid: string; user_id: string };
  /** The pop-up was opened, or closed, by whomever. */
  open: Record<string, never>;
  close: Record<string, never>;
  /** The server has accepted a message of this visitor, from this tab or another. */
  message: { turn_id: string; text: string };
  /** An answer has ended. `state`: complete, truncated, stopped, interrupted or failed. */
  answer: { turn_id: string; text: string; state: string };
  /** What the visitor is told as well. `code`: of docs/protocol.md, or "unreachable". */
  error: { code: string; message: string };
  /** Answers that ended while nobody looked; 0 when they have been seen. */
  unread: { count: number };
}

export interface AssistantChat {
  /** Opens the pop-up and puts the focus into its text field; of a chat inside the page only the latter. */
  open(): void;
  /** Closes the pop-up. */
  close(): void;
  /** Opens the chat and sends `text` as the visitor. False, and nothing sent: it is empty or too long, or the chat is destroyed. */
  send(text: string): boolean;
  /** Calls `listener` at each `event`, never in the middle of this call; returns what ends that. */
  on<E extends keyof Events>(event: E, listener: (detail: Events[E]) => void): () => void;
  /** From now on this user, or nobody in particular (null). A fresh token of the same user changes nothing on the page. */
  identify(userToken: string | null): void;
  /** Takes the chat off the page and ends its connection. The script may be added again afterwards. */
  destroy(): void;
}

declare global {
  interface Window {
    AssistantChat?: AssistantChat;
  }
}

export type Tell = <E extends keyof Events>(event: E, detail: Events[E]) => void;
type Listener = (detail: never) => unknown;

const EVENTS = /^(ready|open|close|message|answer|error|unread)$/;

export class Listeners {
  readonly #all: { event: string; listener: Listener }[] = [];
  #ready: Events["ready"] | null = null;

  on(event: string, listener: Listener): () => void {
    if (!EVENTS.test(event)) warn(`on("${event}"): there is no such event`);
    const entry = { event, listener };
    this.#all.push(entry);
    if (event === "ready" && this.#ready) call(listener, this.#ready);
    return () => void this.#all.splice(this.#all.indexOf(entry) >>> 0, 1);
  }

  readonly tell: Tell = (event, detail) => {
    if (event === "ready") this.#ready = detail as Events["ready"];
    for (const entry of this.#all) if (entry.event === event) call(entry.listener, detail);
  };

  /** The session that was told is over. */
  forget(): void {
    this.#ready = null;
  }

  clear(): void {
    this.#all.length = 0;
  }
}

/** Later, so that it meets no work half done; and what it throws is the page's own affair. */
function call(listener: Listener, detail: unknown): void {
  void Promise.resolve(detail as never).then(listener).catch(console.error);
}
