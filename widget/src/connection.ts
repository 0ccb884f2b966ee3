/**
 * The one place that knows socket.io: connects, comes back for ever, asks and gets an answer.
 * It knows nothing of conversations; what it hears it hands on as events.
 */
import { type Socket, io } from "socket.io-client";
import type { ServerEvent } from "./conversation";
import type { Piece, ServerMessage, Session, TurnFinished, TurnRated, TurnReasoning, TurnStarted, TurnStatus, WireError } from "./wire";

const ANSWER_MS = 10_000;
const PROBE_MS = 10_000;
/** An attempt to connect that is younger is left alone. */
const YOUNG_MS = 3_000;
/** A long conversation may take its time on a slow line. */
const SESSION_MS = 45_000;
const STEADY_MS = 10_000;
const MAX_DELAY_MS = 30_000;
/** Seconds until an unwanted user token is shown again; the page is asked for another one meanwhile. */
const TOKEN_WAIT = 30;

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
  /** Connects, and stays connected until it is closed. Nothing is sent before. Safe to repeat. */
  begin(): void;
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
  #begun = false;
  #refusals = 0;
  #since = 0;
  #triedAt = Date.now();
  /** Anything at all that came from the server. */
  #packets = 0;
  /** Seconds that the server asked for before it closes the connection. */
  #asked = 0;

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
      autoConnect: false,
    });
    this.#listen();
  }

  begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#wakeUp();
    this.#connect();
  }

  async request(event: string, payload: object, patience = ANSWER_MS): Promise<unknown> {
    // Never into socket.io's own send buffer: what is sent again after a reconnect is our decision.
    if (!this.#socket.connected) throw new Unanswered();
    const before = this.#packets;
    try {
      return await this.#socket.timeout(patience).emitWithAck(event, payload);
    } catch {
      // Not a word in all that time: this may have been no connection for long (a laptop that slept, another network).
      if (this.#socket.connected && this.#packets === before) this.reconnect();
      throw new Unanswered();
    }
  }

  reconnect(): void {
    if (!this.#begun) return;
    this.#socket.disconnect();
    this.#connect();
  }

  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#sessionTimer);
    this.#unlisten.abort();
    this.#socket.disconnect();
  }

  #connect(): void {
    clearTimeout(this.#timer);
    this.#triedAt = Date.now();
    this.#socket.connect();
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
    socket.on("turn_reasoning", (reasoning: TurnReasoning) => tell({ type: "turn_reasoning", reasoning }));
    socket.on("turn_finished", (finished: TurnFinished) => tell({ type: "turn_finished", finished }));
    socket.on("turn_rated", (rated: TurnRated) => tell({ type: "turn_rated", rated }));
    socket.on("server_message", (message: ServerMessage) => {
      this.#asked = message.retry_after ?? 0;
      this.#hearer.message(message);
    });
    socket.on("connect", () => this.#onConnect());
    socket.on("disconnect", (reason) => this.#onDisconnect(reason));
    socket.on("connect_error", (error: Error & { data?: WireError }) => this.#onConnectError(error));
    const count = (): unknown => this.#packets++;
    socket.io.on("packet", count);
    socket.io.on("ping", count);
    socket.io.on("reconnect_attempt", () => (this.#triedAt = Date.now()));
  }

  #onConnect(): void {
    this.#since = Date.now();
    this.#asked = 0;
    clearTimeout(this.#timer);
    clearTimeout(this.#sessionTimer);
    this.#sessionTimer = setTimeout(() => this.reconnect(), SESSION_MS);
    this.#hearer.connected();
  }

  #onDisconnect(reason: string): void {
    clearTimeout(this.#sessionTimer);
    this.#hearer.disconnected();
    if (Date.now() - this.#since > STEADY_MS) this.#refusals = 0;
    // socket.io comes back by itself except from this one.
    if (reason === "io server disconnect") this.#later(this.#asked);
  }

  #onConnectError(error: Error & { data?: WireError }): void {
    this.#hearer.disconnected();
    if (error.data?.code) this.#hearer.refused(error.data);
    // Inactive: the server refused the namespace, and socket.io leaves it at that.
    if (!this.#socket.active) this.#later(error.data?.code === "bad_user_token" ? TOKEN_WAIT : error.data?.retry_after);
  }

  /** Again after a growing, jittered while, and not before the server wants us. */
  #later(seconds = 0): void {
    const delay = Math.min(MAX_DELAY_MS, 500 * 2 ** this.#refusals++) * (0.5 + Math.random());
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), Math.max(delay, seconds * 1000));
  }

  /** Waiting out a delay is pointless once the network or the reader is back. */
  #wakeUp(): void {
    const wake = (): void => this.#wake();
    const shown = (): void => (document.visibilityState === "visible" ? wake() : undefined);
    const { signal } = this.#unlisten;
    addEventListener("online", wake, { signal });
    document.addEventListener("visibilitychange", shown, { signal });
    // Out of the back/forward cache: what was open then may be open in name only.
    addEventListener("pageshow", (event) => (event.persisted ? wake() : undefined), { signal });
  }

  #wake(): void {
    const { connected, io } = this.#socket;
    if (connected) return void this.request("heartbeat", {}, PROBE_MS).catch(() => undefined);
    const underWay = io.engine?.readyState === "opening" || io.engine?.readyState === "open";
    if (!underWay || Date.now() - this.#triedAt > YOUNG_MS) this.reconnect();
  }
}
