/**
 * The conversation as a reducer: what the server said, in the order in which it was said, becomes one state.
 * Pure: knows neither sockets nor the page. Pieces of turns that are not in this conversation are ignored.
 */
import {
  type Turn,
  hasHole,
  isOpen,
  turnFromStart,
  turnFromWire,
  withActivity,
  withFinish,
  withPiece,
  withReasoning,
  withResumed,
  withRunning,
} from "./turn";
import type {
  Accepted,
  HistoryPage,
  Limits,
  Piece,
  Resumed,
  Session,
  TurnFinished,
  TurnRated,
  TurnReasoning,
  TurnStarted,
  TurnStatus,
  WireError,
  WireTurn,
} from "./wire";

export type ServerEvent =
  | { type: "session"; session: Session; after?: string | null }
  | { type: "turn_started"; turn: TurnStarted }
  | { type: "assistant_message"; piece: Piece }
  | { type: "turn_status"; status: TurnStatus }
  | { type: "turn_reasoning"; reasoning: TurnReasoning }
  | { type: "turn_finished"; finished: TurnFinished }
  | { type: "turn_rated"; rated: TurnRated };

export type ConversationEvent =
  | ServerEvent
  | { type: "disconnected" }
  | { type: "accepted"; accepted: Accepted; text: string; at: string }
  | { type: "resumed"; turnId: string; resumed: Resumed }
  | { type: "resume_refused"; turnId: string; error: WireError }
  | { type: "history"; page: HistoryPage }
  | { type: "stopping"; turnId: string; on: boolean };

export interface Conversation {
  /** `session` has come on this connection; before it, events wait in `early`. */
  readonly ready: boolean;
  readonly id: string | null;
  readonly turns: readonly Turn[];
  readonly more: boolean;
  readonly limits: Limits;
  readonly renewed: "invalid" | "expired" | null;
  readonly early: readonly ServerEvent[];
}

export const EMPTY: Conversation = {
  ready: false,
  id: null,
  turns: [],
  more: false,
  limits: { max_text: 16_000, turn_queue: 0 },
  renewed: null,
  early: [],
};

export function reduce(state: Conversation, event: ConversationEvent): Conversation {
  switch (event.type) {
    case "session":
      return withSession(state, event.session, event.after ?? null);
    case "disconnected":
      return { ...state, ready: false, early: [] };
    case "turn_started":
      return state.ready ? withStart(state, event.turn) : early(state, event);
    case "assistant_message":
      if (!state.ready) return early(state, event);
      return change(state, event.piece.turn_id, (turn) => withPiece(turn, event.piece.seq, event.piece.text));
    case "turn_status": {
      const { turn_id, state: word, detail } = event.status;
      return state.ready ? change(state, turn_id, (turn) => withActivity(turn, word, detail ?? null)) : early(state, event);
    }
    case "turn_reasoning":
      if (!state.ready) return early(state, event);
      return change(state, event.reasoning.turn_id, (turn) => withReasoning(turn, event.reasoning));
    case "turn_finished":
      if (!state.ready) return early(state, event);
      return change(state, event.finished.turn_id, (turn) => withFinish(turn, event.finished));
    case "accepted":
      return withStart(state, { ...event.accepted, text: event.text, at: event.at });
    case "resumed":
      return change(state, event.turnId, (turn) => withResumed(turn, event.resumed));
    case "resume_refused":
      return change(state, event.turnId, (turn) =>
        isOpen(turn) ? { ...turn, state: "interrupted", activity: null, ahead: new Map(), error: event.error } : turn,
      );
    case "history":
      return withHistory(state, event.page);
    case "stopping":
      return change(state, event.turnId, (turn) => (isOpen(turn) ? { ...turn, stopping: event.on } : turn));
    case "turn_rated":
      if (!state.ready) return early(state, event);
      return change(state, event.rated.turn_id, (turn) => ({ ...turn, feedback: event.rated.rating }));
  }
}

/** Holes that only the server can fill: `resume` with these. */
export function holes(state: Conversation): { turn_id: string; after_seq: number }[] {
  return state.turns.filter(hasHole).map((turn) => ({ turn_id: turn.id, after_seq: turn.seq }));
}

/** The turn that runs, or the first that waits to run. */
export function openTurn(state: Conversation): Turn | undefined {
  return state.turns.find((turn) => isOpen(turn) && turn.state === "running") ?? state.turns.find(isOpen);
}

export function openTurns(state: Conversation): Turn[] {
  return state.turns.filter(isOpen);
}

export function has(state: Conversation, turnId: string): boolean {
  return state.turns.some((turn) => turn.id === turnId);
}

/** What to present as `auth.after`: the turn whose answer is under way here. */
export function after(state: Conversation): { turn_id: string; seq: number } | null {
  const turn = openTurn(state);
  return turn ? { turn_id: turn.id, seq: turn.seq } : null;
}

function early(state: Conversation, event: ServerEvent): Conversation {
  return { ...state, early: [...state.early, event] };
}

function withSession(state: Conversation, session: Session, afterTurn: string | null): Conversation {
  const same = state.id === session.conversation_uuid;
  const known = same ? state.turns : [];
  const recent = session.turns.map((wire) => asKnown(known, wire));
  const older = olderThan(known, session.turns);
  let next: Conversation = {
    ready: true,
    id: session.conversation_uuid,
    turns: [...older, ...recent],
    more: older.length > 0 ? state.more : session.more,
    limits: session.limits ?? state.limits,
    // Said once, when it happened; it stays until the next conversation.
    renewed: session.renewed ?? (same ? state.renewed : null),
    early: [],
  };
  const { running, resumed } = session;
  if (running) next = change(next, running.turn_id, (turn) => withRunning(turn, running));
  const resumedTurn = resumed?.turn_id ?? afterTurn;
  if (resumed?.ok && resumedTurn) next = change(next, resumedTurn, (turn) => withResumed(turn, resumed));
  return state.early.reduce<Conversation>(reduce, next);
}

/** The server's word on a turn; of an open one we keep the pieces that we already have. */
function asKnown(known: readonly Turn[], wire: WireTurn): Turn {
  const fresh = turnFromWire(wire);
  const had = known.find((turn) => turn.id === wire.turn_id);
  if (!isOpen(fresh)) return fresh;
  if (!had || !isOpen(had)) return { ...fresh, answer: "" };
  return { ...had, feedback: fresh.feedback, reasoning: fresh.reasoning ?? had.reasoning, ahead: new Map() };
}

/** Earlier turns that were loaded as history and lie before the first one of this session. */
function olderThan(known: readonly Turn[], turns: readonly WireTurn[]): Turn[] {
  const first = turns[0];
  const cut = first ? known.findIndex((turn) => turn.id === first.turn_id) : -1;
  return cut > 0 ? known.slice(0, cut) : [];
}

function withStart(state: Conversation, start: TurnStarted): Conversation {
  if (has(state, start.turn_id)) return state;
  return { ...state, turns: [...state.turns, turnFromStart(start)] };
}

function withHistory(state: Conversation, page: HistoryPage): Conversation {
  const ids = new Set(state.turns.map((turn) => turn.id));
  const older = page.turns.filter((wire) => !ids.has(wire.turn_id)).map(turnFromWire);
  older.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return { ...state, turns: [...older, ...state.turns], more: page.more && older.length > 0 };
}

function change(state: Conversation, turnId: string, update: (turn: Turn) => Turn): Conversation {
  const index = state.turns.findIndex((turn) => turn.id === turnId);
  const turn = state.turns[index];
  if (!turn) return state;
  const next = update(turn);
  return next === turn ? state : { ...state, turns: replaced(state.turns, index, next) };
}

function replaced(turns: readonly Turn[], index: number, turn: Turn): Turn[] {
  const next = turns.slice();
  next[index] = turn;
  return next;
}
