/** Stands in for socket.io's client: its two emitters, and what a test lets happen to them. */
import { vi } from "vitest";

type Listener = (...values: never[]) => void;

class Emitter {
  readonly #listeners = new Map<string, Listener[]>();

  on(event: string, listener: Listener): void {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
  }

  happen(event: string, ...values: unknown[]): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(...(values as never[]));
  }
}

export class FakeSocket extends Emitter {
  connected = false;
  /** False when the library has given up, as after a refusal. */
  active = true;
  connects = 0;
  asked: string[] = [];
  readonly io = Object.assign(new Emitter(), { engine: { readyState: "opening" } });

  connect(): this {
    this.connects++;
    this.io.engine = { readyState: "opening" };
    return this;
  }

  disconnect(): this {
    if (this.connected) this.lose("io client disconnect");
    return this;
  }

  /** The namespace is joined. */
  join(): void {
    this.connected = true;
    this.io.engine.readyState = "open";
    this.happen("connect");
  }

  lose(reason: string): void {
    this.connected = false;
    this.io.engine.readyState = "closed";
    this.happen("disconnect", reason);
  }

  /** Nobody answers. */
  timeout(milliseconds: number): { emitWithAck(event: string): Promise<unknown> } {
    return {
      emitWithAck: (event) => {
        this.asked.push(event);
        return new Promise((_, reject) => setTimeout(() => reject(new Error("timeout")), milliseconds));
      },
    };
  }
}

export const sockets: FakeSocket[] = [];

export const io = vi.fn(() => {
  const socket = new FakeSocket();
  sockets.push(socket);
  return socket;
});
