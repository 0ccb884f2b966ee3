/**
 * The chat of one page: keeps conversation and outbox, sends one message at a time, asks for what is missing.
 * Knows the server through a Line and nothing of the page; whoever shows it listens with `onChange`.
 */
import type { Hearer, Line } from "./connection";
import { type Conversation, type ConversationEvent, EMPTY, type ServerEvent, after, openTurn, reduce } from "./conversation";
import { Gaps } from "./gaps";
import { newId } from "./identifier";
import * as box from "./outbox";
import type { Ticket } from "./ticket";
import { isOpen } from "./turn";
import {
  type Accepted,
  type HistoryPage,
  PROTOCOL,
  type Rating,
  type Refusal,
  type Resumed,
  type ServerMessage,
  type Session,
  type WireError,
} from "./wire";

const MAX_TRIES = 3;
const HISTORY_PAGE = 20;
const GONE = new Set(["unknown_turn", "not_yours"]);

export interface Tickets {
  read(): Ticket | null;
  write(ticket: Ticket): void;
}

type Answer<T> = T | Refusal;

export class Chat implements Hearer {
  conversation: Conversation = EMPTY;
  outbox: box.Outbox = [];
  online = false;
  /** False until the first answer of any kind; "Reconnecting…" would be a lie before it. */
  everOnline = false;
  problem: WireError | null = null;
  loadingEarlier = false;
  onChange: () => void = () => undefined;

  readonly #tickets: Tickets;
  readonly #line: Line;
  readonly #unansweredError: WireError;
  #after: string | null = null;
  #requesting = false;
  readonly #gaps = new Gaps(
    () => this.conversation,
    (turnId, afterSeq) => this.#resume(turnId, afterSeq),
  );

  constructor(tickets: Tickets, connect: (hearer: Hearer) => Line, unanswered: string) {
    this.#tickets = tickets;
    this.#unansweredError = { code: "unanswered", message: unanswered };
    this.#line = connect(this);
  }

  auth(): Record<string, unknown> {
    const from = after(this.conversation);
    this.#after = from?.turn_id ?? null;
    const token = this.#tickets.read()?.token;
    return { protocol: PROTOCOL, ...(token && { token }), ...(from && { after: from }) };
  }

  connected(): void {
    this.problem = null;
  }

  disconnected(): void {
    this.online = false;
    this.#gaps.disconnected();
    this.#dispatch({ type: "disconnected" });
  }

  refused(error: WireError): void {
    this.show(error);
  }

  message(message: ServerMessage): void {
    this.show({ code: message.code, message: message.text });
  }

  heard(event: ServerEvent): void {
    if (event.type === "session") this.#begin(event.session, this.#after);
    else this.#dispatch(event);
  }

  show(problem: WireError | null): void {
    this.problem = problem;
    this.onChange();
  }

  send(text: string): void {
    this.problem = null;
    this.outbox = box.added(this.outbox, newId(), text, new Date().toISOString());
    this.#settle();
  }

  sendAgain(clientId: string): void {
    this.outbox = box.again(this.outbox, clientId);
    this.#settle();
  }

  discard(clientId: string): void {
    this.outbox = box.without(this.outbox, new Set([clientId]));
    this.#settle();
  }

  stop(): void {
    const turn = openTurn(this.conversation);
    if (turn) void this.#stop(turn.id);
  }

  async rate(turnId: string, rating: Rating): Promise<void> {
    const before = this.conversation.turns.find((turn) => turn.id === turnId)?.feedback ?? null;
    this.#dispatch({ type: "rated", turnId, rating });
    const answer = await this.#ask<{ ok: true }>("feedback", { turn_id: turnId, rating });
    if (!answer.ok) {
      this.#dispatch({ type: "rated", turnId, rating: before });
      this.show(answer.error);
    }
  }

  async earlier(): Promise<void> {
    const first = this.conversation.turns[0];
    if (!first || this.loadingEarlier) return;
    this.loadingEarlier = true;
    this.onChange();
    const id = this.conversation.id;
    const page = await this.#ask<HistoryPage>("history", { before: first.id, limit: HISTORY_PAGE });
    this.loadingEarlier = false;
    if (page.ok && id === this.conversation.id) this.#dispatch({ type: "history", page });
    else if (!page.ok) this.show(page.error);
  }

  async startAnew(): Promise<void> {
    const answer = await this.#ask<{ ok: true; session: Session }>("new_conversation", {});
    if (!answer.ok) return this.show(answer.error);
    this.outbox = [];
    this.problem = null;
    this.#begin(answer.session, null);
  }

  /** Another tab may have begun a new conversation: follow it. */
  follow(): void {
    const id = this.#tickets.read()?.conversation;
    if (this.conversation.ready && id && id !== this.conversation.id) this.#line.reconnect();
  }

  close(): void {
    this.#gaps.close();
    this.#line.close();
  }

  #begin(session: Session, afterTurn: string | null): void {
    this.online = this.everOnline = true;
    this.#tickets.write({ token: session.token, conversation: session.conversation_uuid });
    this.#dispatch({ type: "session", session, after: afterTurn });
    for (const turn of this.conversation.turns) if (turn.stopping && isOpen(turn)) void this.#stop(turn.id);
  }

  #dispatch(event: ConversationEvent): void {
    const before = this.conversation;
    this.conversation = reduce(before, event);
    this.#settle();
    this.#gaps.changed(before);
  }

  /** What follows from the state: what was accepted leaves the outbox, the next message goes out. */
  #settle(): void {
    this.outbox = box.without(this.outbox, new Set(this.conversation.turns.map((turn) => turn.clientId)));
    if (this.conversation.ready) void this.#sendNext();
    this.onChange();
  }

  async #sendNext(): Promise<void> {
    const message = box.nextToSend(this.outbox);
    if (!message || this.#requesting) return;
    this.#requesting = true;
    this.outbox = box.sending(this.outbox, message.clientId);
    let answer: Answer<Accepted> | null = null;
    try {
      answer = (await this.#line.request("user_message", { text: message.text, client_id: message.clientId })) as Answer<Accepted>;
    } catch {
      // No answer: the server may or may not have it, so the same message goes again.
    }
    this.#requesting = false;
    if (answer?.ok) this.#accept(answer, message);
    else this.#notAccepted(message.clientId, answer);
  }

  #accept(accepted: Accepted, message: box.Outgoing): void {
    const known = this.conversation.turns.some((turn) => turn.id === accepted.turn_id);
    const named = { ...accepted, client_id: message.clientId };
    this.outbox = box.without(this.outbox, new Set([message.clientId]));
    this.#dispatch({ type: "accepted", accepted: named, text: message.text, at: message.at });
    // An old acquaintance that we know nothing of: it may long have finished.
    if (!known && accepted.duplicate) void this.#gaps.ask(accepted.turn_id);
  }

  #notAccepted(clientId: string, refusal: Refusal | null): void {
    const tries = this.outbox.find((message) => message.clientId === clientId)?.tries ?? 0;
    if (refusal) this.outbox = box.refused(this.outbox, clientId, refusal.error ?? this.#unansweredError);
    else if (this.conversation.ready && tries >= MAX_TRIES) this.outbox = box.refused(this.outbox, clientId, this.#unansweredError);
    else this.outbox = box.unanswered(this.outbox, clientId);
    this.#settle();
  }

  async #stop(turnId: string): Promise<void> {
    this.#dispatch({ type: "stopping", turnId, on: true });
    const answer = await this.#ask("stop", { turn_id: turnId });
    if (answer.ok || answer.error.code === this.#unansweredError.code) return;
    this.#dispatch({ type: "stopping", turnId, on: false });
    this.show(answer.error);
  }

  async #resume(turnId: string, afterSeq: number): Promise<void> {
    const answer = await this.#ask<Resumed>("resume", { turn_id: turnId, after_seq: afterSeq });
    if (answer.ok) this.#dispatch({ type: "resumed", turnId, resumed: answer });
    else if (GONE.has(answer.error.code)) this.#dispatch({ type: "resume_refused", turnId, error: answer.error });
  }

  async #ask<T extends { ok: true }>(event: string, payload: object): Promise<Answer<T>> {
    try {
      const answer = (await this.#line.request(event, payload)) as Answer<T> | null;
      return answer && typeof answer.ok === "boolean" ? answer : { ok: false, error: this.#unansweredError };
    } catch {
      return { ok: false, error: this.#unansweredError };
    }
  }
}
