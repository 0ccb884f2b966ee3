/**
 * The chat of one page: keeps the conversation, hands over messages, asks for what is missing.
 * Knows the server through a Line and nothing of the page; whoever shows it listens with `onChange`.
 */
import type { Hearer, Line } from "./connection";
import {
  type Conversation, type ConversationEvent, EMPTY, type ServerEvent, after, has, openTurn, openTurns, reduce,
} from "./conversation";
import { Delivery, type Kept } from "./delivery";
import { Gaps } from "./gaps";
import { newId } from "./identifier";
import * as box from "./outbox";
import { Requests } from "./requests";
import type { Tickets } from "./ticket";
import { type Accepted, PROTOCOL, type ServerMessage, type Session, type WireError } from "./wire";

const NOT_YOURS = "not_yours";

/** What the chat itself has to say about a message. */
export interface Words {
  unanswered: string;
  elsewhere: string;
}

export class Chat implements Hearer {
  conversation: Conversation = EMPTY;
  online = false;
  /** False until the first answer of any kind; "Reconnecting…" would be a lie before it. */
  everOnline = false;
  /** A user of the host page, who has a list of conversations. */
  signedIn = false;
  problem: WireError | null = null;
  userId = "";
  /** Who the page says is there, signed by its server. Only in memory. */
  userToken: string | null = null;
  /** What goes with a message about where it was written. */
  context: () => object | undefined = () => undefined;
  onChange: () => void = () => undefined;

  readonly requests: Requests;
  readonly #tickets: Tickets;
  readonly #line: Line;
  readonly #unansweredError: WireError;
  readonly #elsewhere: WireError;
  readonly #delivery: Delivery;
  #after: string | null = null;
  /** The conversation that the last connect asked for. */
  #presented: string | null = null;
  /** One of their own that the reader picked, until it is open or refused. */
  #picked: string | null = null;
  /** On the way into a new conversation: what is written now belongs there. */
  #moving = false;
  readonly #gaps = new Gaps(
    () => this.conversation,
    (turnId, afterSeq) => this.requests.resume(turnId, afterSeq),
  );

  constructor(tickets: Tickets, drawer: Kept, connect: (hearer: Hearer) => Line, words: Words) {
    this.#tickets = tickets;
    this.#unansweredError = { code: "unanswered", message: words.unanswered };
    this.#elsewhere = { code: "elsewhere", message: words.elsewhere };
    const desk = {
      open: () => (this.conversation.ready && !this.#moving ? this.conversation.id : null),
      hand: ({ text, clientId }: box.Outgoing) => this.#line.request("user_message", { text, client_id: clientId, context: this.context() }),
      accepted: (accepted: Accepted, message: box.Outgoing, id: string) => this.#accepted(accepted, message, id),
      changed: () => this.onChange(),
    };
    this.#delivery = new Delivery(desk, drawer, this.#unansweredError);
    this.#line = connect(this);
    const asker = {
      conversation: () => this.conversation,
      dispatch: (event: ConversationEvent) => this.#dispatch(event),
      show: (problem: WireError) => this.show(problem),
      changed: () => this.onChange(),
    };
    this.requests = new Requests(asker, this.#line, this.#unansweredError);
  }

  /** Whether this browser has something to go on with: a conversation, or messages that were not sent. */
  get used(): boolean {
    return this.#tickets.read() !== null || this.outbox.length > 0;
  }

  /** Connects. Before that nothing is asked of the server, and nothing is kept here. Safe to repeat. */
  begin(): void {
    this.#line.begin();
  }

  get outbox(): box.Outbox {
    return this.#delivery.outbox;
  }

  auth(): Record<string, unknown> {
    const from = this.#picked ? null : after(this.conversation);
    this.#after = from?.turn_id ?? null;
    const { token, conversation = null } = this.#tickets.read() ?? {};
    this.#presented = conversation;
    return {
      protocol: PROTOCOL,
      ...(token && { token }),
      ...(this.userToken && { user_token: this.userToken }),
      ...(from && { after: from }),
      ...(this.#picked && { conversation_uuid: this.#picked }),
    };
  }

  connected(): void {
    // What was refused with this code was one conversation: it is said in the one that we go back to.
    if (this.problem?.code !== NOT_YOURS) this.problem = null;
  }

  disconnected(): void {
    this.online = false;
    this.#gaps.disconnected();
    this.#dispatch({ type: "disconnected" });
  }

  refused(error: WireError): void {
    if (error.code === NOT_YOURS) this.#picked = null;
    this.show(error);
  }

  message({ code, text }: ServerMessage): void {
    this.show({ code, message: text });
  }

  heard(event: ServerEvent): void {
    if (event.type === "session") this.#onSession(event.session);
    else this.#dispatch(event);
  }

  show(problem: WireError | null): void {
    this.problem = problem;
    this.onChange();
  }

  send(text: string): void {
    // What keeps us out goes on doing so.
    if (this.online) this.problem = null;
    const message = box.outgoing(newId(), text, new Date().toISOString(), this.#place());
    this.#deliver((outbox) => [...outbox, message]);
  }

  sendAgain(clientId: string): void {
    this.#deliver((outbox) => box.again(outbox, clientId));
  }

  discard(clientId: string): void {
    this.#deliver((outbox) => box.without(outbox, new Set([clientId])));
  }

  stop(): void {
    const turn = openTurn(this.conversation);
    if (turn) void this.requests.stop(turn.id);
  }

  /** Leaves for another of the reader's conversations. Other tabs follow, as into a new one. */
  openConversation(id: string): void {
    if (id === (this.#picked ?? this.conversation.id)) return;
    this.problem = null;
    this.#picked = id;
    this.#line.reconnect();
  }

  async startAnew(): Promise<void> {
    if (this.#moving) return;
    this.#moving = true;
    const old = new Set(this.outbox.map((message) => message.clientId));
    const answer = await this.requests.ask<{ ok: true; session: Session }>("new_conversation", {});
    this.#moving = false;
    this.problem = answer.ok ? null : answer.error;
    // It may have moved us all the same: only a new session tells where this connection writes.
    if (this.problem === this.#unansweredError && this.online) this.#line.reconnect();
    if (!answer.ok) return this.#settle();
    this.#delivery.update((outbox) => box.without(outbox, old));
    this.#begin(answer.session, null);
  }

  /** A fresh token of the same user: whoever was turned away tries again at once. */
  signIn(userToken: string | null): void {
    this.userToken = userToken;
    if (!this.online) this.#line.reconnect();
  }

  /** Another tab may have begun a new conversation: follow it. */
  follow(): void {
    const id = this.#tickets.read()?.conversation;
    if (this.conversation.ready && id && id !== this.conversation.id) this.#line.reconnect();
  }

  close(): void {
    // First, because it is told as a lost connection, and open answers are watched then.
    this.#line.close();
    this.#gaps.close();
    this.#delivery.close();
  }

  /** A session that was on its way while another tab began a new conversation must not take that tab back. */
  #onSession(session: Session): void {
    const now = this.#tickets.read()?.conversation ?? null;
    if (now !== this.#presented && now !== session.conversation_uuid) this.#line.reconnect();
    else this.#begin(session, this.#after);
  }

  #begin(session: Session, afterTurn: string | null): void {
    const id = session.conversation_uuid;
    this.online = this.everOnline = true;
    this.userId = session.user_id;
    this.signedIn = session.signed_in === true;
    this.#picked = null;
    this.#tickets.write({ token: session.token, conversation: id });
    this.#delivery.update((outbox) => box.refusedElsewhere(outbox, id, this.#elsewhere));
    this.#dispatch({ type: "session", session, after: afterTurn });
    this.#delivery.release();
    this.#askForTheRest(session);
  }

  /** Of turns that the session does not tell: open ones that lie further back than it goes. */
  #askForTheRest(session: Session): void {
    const told = new Set(session.turns.map((turn) => turn.turn_id));
    for (const turn of openTurns(this.conversation)) {
      if (turn.stopping) void this.requests.stop(turn.id);
      if (!told.has(turn.id)) void this.#gaps.ask(turn.id);
    }
    if (session.running && !has(this.conversation, session.running.turn_id)) void this.requests.earlier();
  }

  /** Where a message is written: in the conversation that is shown or, before that is known, the one last left. */
  #place(): string | null {
    if (this.#moving) return null;
    return this.#picked ?? this.conversation.id ?? this.#tickets.read()?.conversation ?? null;
  }

  #dispatch(event: ConversationEvent): void {
    const before = this.conversation;
    this.conversation = reduce(before, event);
    if (openTurns(this.conversation).length < openTurns(before).length) this.#delivery.release(true);
    this.#settle();
    this.#gaps.changed(before);
  }

  /** What follows from the state: what was accepted leaves the outbox, the next message goes out. */
  #settle(): void {
    const accepted = new Set(this.conversation.turns.map((turn) => turn.clientId));
    this.#deliver((outbox) => box.without(outbox, accepted));
  }

  #deliver(change: (outbox: box.Outbox) => box.Outbox): void {
    this.#delivery.update(change);
    this.onChange();
  }

  #accepted(accepted: Accepted, { clientId, text, at }: box.Outgoing, id: string): void {
    // It was said in a conversation that we have left meanwhile.
    if (id !== this.conversation.id) return;
    const known = has(this.conversation, accepted.turn_id);
    this.#dispatch({ type: "accepted", accepted: { ...accepted, client_id: clientId }, text, at });
    // An old acquaintance that we know nothing of: it may long have finished.
    if (!known && accepted.duplicate) void this.#gaps.ask(accepted.turn_id);
  }
}
