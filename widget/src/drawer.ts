/**
 * The outbox over a reload: what was not accepted yet is kept in this tab's sessionStorage, under a key of the server's
 * address. Where storage is missing, full or forbidden the outbox lives as long as its page.
 */
import { type Outbox, type Outgoing, outgoing } from "./outbox";

/** The oldest ones: without them the others would make little sense. */
const MAX_KEPT = 20;

export class Drawer {
  readonly #key: string;

  constructor(server: string) {
    this.#key = `assistant-chat:${server}:outbox`;
  }

  read(): Outbox {
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.#key) ?? "[]") as Outgoing[];
      return kept.filter(isOurs).map(({ clientId, text, at, conversation, tries, error }) => ({
        ...outgoing(clientId, text, at, conversation),
        // Not how often, but that it may have arrived.
        tries: tries ? 1 : 0,
        ...(error && { state: "refused", error }),
      }));
    } catch {
      // Forbidden storage or a value that is not ours.
      return [];
    }
  }

  write(outbox: Outbox): void {
    try {
      // First, so that a store that is full keeps nothing rather than what was discarded meanwhile.
      sessionStorage.removeItem(this.#key);
      const kept = outbox.slice(0, MAX_KEPT).map(({ clientId, text, at, conversation, state, tries, error }) => ({
        clientId, text, at, conversation, tries,
        error: state === "refused" ? error : null,
      }));
      if (kept.length > 0) sessionStorage.setItem(this.#key, JSON.stringify(kept));
    } catch {
      // Private mode or a full store.
    }
  }
}

function isOurs({ clientId, text }: Outgoing): boolean {
  return typeof clientId === "string" && typeof text === "string";
}
