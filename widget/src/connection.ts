/**
 * The one place that knows socket.io: connects, comes back for ever, asks and gets an answer.
 * It knows nothing of conversations; what it hears it hands on as events.
 */
import { type Socket, io } from "socket.io-client";
import type { ServerEvent } from "./conversation";
import type { Piece, ServerMessage, Session, TurnFinished, TurnStarted, TurnStatus, WireError } from "./wire";

const ANSWER_MS = 10_000;
const SESSION_MS = 15_000;
const STEADY_MS = 10_000;
const MAX_DELAY_MS = 30_000;

/** A request that got no answer: too slow, or the connection went away. */
export class Unanswered extends Error {}

export interface Hearer {
  auth(): Record<string, unknown>;
  heard(event: ServerEvent): void;
  message(message: ServerMessage): void;
  /** The server will not have us just now, and says why. */
  refused(error: WireError): void;
  connected(): void;
  disconnected(): void;
}

/** What the chat needs of a connection; tests put their own in its place. */
export interface Line {
  request(event: string, payload: object): Promise<unknown>;
  reconnect(): void;
  close(): void;
}

export class Connection implements Line {
  readonly #socket: Socket;
  readonly #hearer: Hearer;
  readonly #unlisten = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sessionTimer: ReturnType<typeof setTimeout> | undefined;
  #refusals = 0;
  #since = 0;

  /** `base` is the server's address with the path that it is mounted at, ending in "/". */
  constructor(base: URL, hearer: Hearer) {
    this.#hearer = hearer;
    this.#socket = io(`${base.origin}/chat`, {
      path: `${base.pathname}socket.io`,
      transports: ["websocket", "polling"],
      tryAllTransports: true,
      auth: (give) => give(hearer.auth()),
      reconnectionDelay: 500,
      reconnectionDelayMax: 10_000,
      randomizationFactor: 0.5,
      timeout: 10_000,
      forceNew: true,
    });
    this.#listen();
    this.#wakeUp();
  }

  async request(event: string, payload: object): Promise<unknown> {
    // Never into socket.io's own send buffer: what is sent again after a reconnect is our decision.
    if (!this.#socket.connected) throw new Unanswered();
    try {
      return await this.#socket.timeout(ANSWER_MS).emitWithAck(event, payload);
    } catch {
      throw new Unanswered();
    }
  }

  reconnect(): void {
    clearTimeout(this.#timer);
    this.#socket.disconnect().connect();
  }

  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#sessionTimer);
    this.#unlisten.abort();
    this.#socket.disconnect();
  }

  #listen(): void {
    const { heard } = this.#hearer;
    const tell = heard.bind(this.#hearer);
    const socket = this.#socket;
    socket.on("session", (session: Session) => {
      clearTimeout(this.#sessionTimer);
      tell({ type: "session", session });
    });
    socket.on("turn_started", (turn: TurnStarted) => tell({ type: "turn_started", turn }));
    socket.on("assistant_message", (piece: Piece) => tell({ type: "assistant_message", piece }));
    socket.on("turn_status", (status: TurnStatus) => tell({ type: "turn_status", status }));
    socket.on("turn_finished", (finished: TurnFinished) => tell({ type: "turn_finished", finished }));
    socket.on("server_message", (message: ServerMessage) => this.#hearer.message(message));
    socket.on("connect", () => this.#onConnect());
    socket.on("disconnect", (reason) => this.#onDisconnect(reason));
    socket.on("connect_error", (error: Error & { data?: WireError }) => this.#onConnectError(error));
  }

  #onConnect(): void {
    this.#since = Date.now();
    clearTimeout(this.#timer);
    clearTimeout(this.#sessionTimer);
    this.#sessionTimer = setTimeout(() => this.reconnect(), SESSION_MS);
    this.#hearer.connected();
  }

  #onDisconnect(reason: string): void {
    clearTimeout(this.#sessionTimer);
    this.#hearer.disconnected();
    // socket.io comes back by itself except from this one.
    if (reason !== "io server disconnect") return;
    if (Date.now() - this.#since > STEADY_MS) this.#refusals = 0;
    this.#later();
  }

  #onConnectError(error: Error & { data?: WireError }): void {
    this.#hearer.disconnected();
    if (error.data?.code) this.#hearer.refused(error.data);
    // Inactive: the server refused the namespace, and socket.io leaves it at that.
    if (!this.#socket.active) this.#later(error.data?.retry_after);
  }

  /** Again after a growing, jittered while, and not before the server wants us. */
  #later(seconds = 0): void {
    const delay = Math.min(MAX_DELAY_MS, 500 * 2 ** this.#refusals++) * (0.5 + Math.random());
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#socket.connect(), Math.max(delay, seconds * 1000));
  }

  /** Waiting out a delay is pointless once the network or the reader is back. */
  #wakeUp(): void {
    const wake = (): void => {
      if (!this.#socket.connected && document.visibilityState === "visible") this.reconnect();
    };
    const { signal } = this.#unlisten;
    addEventListener("online", wake, { signal });
    document.addEventListener("visibilitychange", wake, { signal });
  }
}
