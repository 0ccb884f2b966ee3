/** A connection in memory: keeps what the chat asks and lets a test answer when it likes. And a drawer like it. */
import { type Line, Unanswered } from "../src/connection";
import type { Kept } from "../src/delivery";
import type { Outbox } from "../src/outbox";

export const WORDS = { unanswered: "No answer.", elsewhere: "Of another conversation." };

export class MemoryDrawer implements Kept {
  constructor(public kept: Outbox = []) {}
  read(): Outbox {
    return this.kept;
  }
  write(outbox: Outbox): void {
    this.kept = outbox;
  }
}

export interface Asked {
  event: string;
  payload: Record<string, unknown>;
  answer(value: unknown): Promise<void>;
  lose(): Promise<void>;
}

export class MemoryLine implements Line {
  readonly asked: Asked[] = [];
  begun = false;
  reconnects = 0;
  closed = false;

  begin(): void {
    this.begun = true;
  }

  request(event: string, payload: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.asked.push({
        event,
        payload: payload as Record<string, unknown>,
        answer: (value) => settled(() => resolve(value)),
        lose: () => settled(() => reject(new Unanswered())),
      });
    });
  }

  reconnect(): void {
    this.reconnects++;
  }

  close(): void {
    this.closed = true;
  }

  of(event: string): Asked[] {
    return this.asked.filter((asked) => asked.event === event);
  }

  last(event: string): Asked {
    const asked = this.of(event).at(-1);
    if (!asked) throw new Error(`${event} was not asked`);
    return asked;
  }
}

/** Lets everything that waits for the answer run before the test goes on. */
async function settled(act: () => void): Promise<void> {
  act();
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}
