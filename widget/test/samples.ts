/** Sessions, turns and events as a server sends them, for the tests. */
import { type Conversation, type ConversationEvent, EMPTY, type ServerEvent, reduce } from "../src/conversation";
import type { Turn } from "../src/turn";
import type { Session, TurnFinished, WireTurn } from "../src/wire";

export function wireTurn(id: string, over: Partial<WireTurn> = {}): WireTurn {
  return {
    turn_id: id,
    client_id: `client-${id}`,
    at: "2025-01-01T10:00:00Z",
    text: `question ${id}`,
    answer: "",
    state: "complete",
    citations: [],
    feedback: null,
    error: null,
    ...over,
  };
}

export function session(over: Partial<Session> = {}): Session {
  return {
    protocol: 1,
    conversation_uuid: "c1",
    user_id: "u1",
    token: "token-1",
    turns: [],
    more: false,
    running: null,
    limits: { max_text: 100, turn_queue: 3 },
    ...over,
  };
}

export function sessionEvent(over: Partial<Session> = {}): ServerEvent {
  return { type: "session", session: session(over) };
}

export function started(id: string, text = `question ${id}`): ServerEvent {
  return { type: "turn_started", turn: { turn_id: id, client_id: `client-${id}`, text, at: "2025-01-01T10:00:00Z" } };
}

export function piece(id: string, seq: number, text: string): ServerEvent {
  return { type: "assistant_message", piece: { turn_id: id, seq, text } };
}

export function finished(id: string, text: string, over: Partial<TurnFinished> = {}): ServerEvent {
  return { type: "turn_finished", finished: { turn_id: id, state: "complete", text, seq: 9, citations: [], ...over } };
}

/** The state after these events. */
export function told(...events: ConversationEvent[]): Conversation {
  return events.reduce(reduce, EMPTY);
}

export function turn(state: Conversation, id = "t1"): Turn {
  const found = state.turns.find((candidate) => candidate.id === id);
  if (!found) throw new Error(`no turn ${id}`);
  return found;
}

/** A token of a site's user as its server would sign it; the browser does not look at the signature. */
export function userToken(sub: string, exp = 1): string {
  const part = (value: object): string => btoa(JSON.stringify(value)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  return `${part({ alg: "HS256" })}.${part({ sub, exp })}.signature`;
}
