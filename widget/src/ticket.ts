/**
 * The token of this browser's conversation, kept in localStorage under a key of the server's address.
 * localStorage may be missing, full or forbidden: then the page keeps its token for as long as it lives.
 */

export interface Ticket {
  token: string;
  conversation: string;
}

export interface Tickets {
  read(): Ticket | null;
  write(ticket: Ticket): void;
}

export class TicketBox implements Tickets {
  readonly #key: string;
  #memory: Ticket | null = null;

  constructor(server: string) {
    this.#key = `assistant-chat:${server}`;
  }

  read(): Ticket | null {
    try {
      const kept = JSON.parse(localStorage.getItem(this.#key) ?? "null") as Partial<Ticket> | null;
      if (typeof kept?.token === "string" && typeof kept.conversation === "string") return kept as Ticket;
    } catch {
      // Forbidden storage or a value that is not ours.
    }
    return this.#memory;
  }

  write(ticket: Ticket): void {
    this.#memory = ticket;
    try {
      localStorage.setItem(this.#key, JSON.stringify(ticket));
    } catch {
      // Private mode or a full store: memory has it.
    }
  }

  /** Calls back when another tab wrote a ticket. */
  watch(changed: () => void): () => void {
    const listen = (event: StorageEvent): void => {
      if (event.key === this.#key && event.newValue) changed();
    };
    addEventListener("storage", listen);
    return () => removeEventListener("storage", listen);
  }
}
