/**
 * What the chat asks of the server about turns that are there, and what follows from each answer: an event for the
 * conversation, or a problem to show.
 */
import type { Line } from "./connection";
import type { Conversation, ConversationEvent } from "./conversation";
import { ask } from "./question";
import type { ConversationsPage, HistoryPage, Rating, Refusal, Resumed, WireError } from "./wire";

/** Turns of a history page, conversations of a list. */
const PAGE = 20;
const GONE = new Set(["unknown_turn", "not_yours"]);

/** What it needs of the chat. */
export interface Asker {
  conversation(): Conversation;
  dispatch(event: ConversationEvent): void;
  show(problem: WireError): void;
  changed(): void;
}

export class Requests {
  loadingEarlier = false;
  readonly #asker: Asker;
  readonly #line: Line;
  readonly #unanswered: WireError;

  constructor(asker: Asker, line: Line, unanswered: WireError) {
    this.#asker = asker;
    this.#line = line;
    this.#unanswered = unanswered;
  }

  ask<T extends { ok: true }>(event: string, payload: object): Promise<T | Refusal> {
    return ask(this.#line, event, payload, this.#unanswered);
  }

  /** What went wrong with it, or null. A comment is its writer's business, a rating alone is told to the page. */
  async rate(turnId: string, rating: Rating, comment?: string): Promise<WireError | null> {
    const before = this.#asker.conversation().turns.find((turn) => turn.id === turnId)?.feedback ?? null;
    this.#rated(turnId, rating);
    const answer = await this.ask("feedback", { turn_id: turnId, rating, comment });
    if (answer.ok) return null;
    this.#rated(turnId, before);
    if (!comment) this.#asker.show(answer.error);
    return answer.error;
  }

  #rated(turn_id: string, rating: Rating): void {
    this.#asker.dispatch({ type: "turn_rated", rated: { turn_id, rating } });
  }

  async earlier(): Promise<void> {
    const { id, turns } = this.#asker.conversation();
    if (!turns[0] || this.loadingEarlier) return;
    this.loadingEarlier = true;
    this.#asker.changed();
    const page = await this.ask<HistoryPage>("history", { before: turns[0].id, limit: PAGE });
    this.loadingEarlier = false;
    if (id !== this.#asker.conversation().id) return this.#asker.changed();
    if (page.ok) this.#asker.dispatch({ type: "history", page });
    else this.#asker.show(page.error);
  }

  /** The reader's own conversations, the newest first; those after `before`, if it is given. */
  conversations(before: string | null): Promise<ConversationsPage | Refusal> {
    return this.ask("conversations", { before, limit: PAGE });
  }

  async stop(turnId: string): Promise<void> {
    this.#asker.dispatch({ type: "stopping", turnId, on: true });
    const answer = await this.ask("stop", { turn_id: turnId });
    if (answer.ok || answer.error.code === this.#unanswered.code) return;
    this.#asker.dispatch({ type: "stopping", turnId, on: false });
    this.#asker.show(answer.error);
  }

  async resume(turnId: string, afterSeq: number): Promise<void> {
    const answer = await this.ask<Resumed>("resume", { turn_id: turnId, after_seq: afterSeq });
    if (answer.ok) this.#asker.dispatch({ type: "resumed", turnId, resumed: answer });
    else if (GONE.has(answer.error.code)) this.#asker.dispatch({ type: "resume_refused", turnId, error: answer.error });
  }
}
