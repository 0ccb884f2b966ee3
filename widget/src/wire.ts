/**
 * The shapes on the wire, protocol version 1 (docs/protocol.md).
 * The only module besides connection.ts that knows the server's names; it does nothing.
 */

export const PROTOCOL = 1;

export type FinalState = "complete" | "stopped" | "failed" | "interrupted" | "truncated";
export type TurnState = "queued" | "running" | FinalState;
export type Activity = "queued" | "thinking" | "tool" | "answering" | "stalled";
export type Rating = "up" | "down" | null;

export interface WireError {
  code: string;
  message: string;
  retry_after?: number;
}

export interface Citation {
  n: number;
  title?: string;
  url?: string;
  file_id?: string;
  filename?: string;
}

/** What the model thought before it answered: the whole of it, and how long that took. */
export interface Reasoning {
  text: string;
  seconds: number;
}

/** A turn as `session.turns` and `history` carry it. */
export interface WireTurn {
  turn_id: string;
  client_id: string | null;
  at: string;
  text: string;
  answer: string;
  state: TurnState;
  citations: Citation[];
  feedback: Rating;
  error: WireError | null;
  reasoning?: Reasoning | null;
}

export interface Running {
  turn_id: string;
  text: string;
  seq: number;
  state: TurnState | Activity;
}

export interface Limits {
  max_text: number;
  turn_queue: number;
}

export interface Session {
  protocol: number;
  conversation_uuid: string;
  user_id: string;
  token: string;
  turns: WireTurn[];
  more: boolean;
  running: Running | null;
  resumed?: Resumed | null;
  renewed?: "invalid" | "expired" | null;
  signed_in?: boolean;
  limits: Limits;
}

export interface TurnStarted {
  turn_id: string;
  client_id: string | null;
  text: string;
  at: string;
}

export interface Piece {
  turn_id: string;
  seq: number;
  text: string;
}

export interface TurnStatus {
  turn_id: string;
  state: Activity;
  detail?: string | null;
}

/** A later one for the same turn takes the place of the earlier. */
export interface TurnReasoning extends Reasoning {
  turn_id: string;
}

export interface TurnFinished {
  turn_id: string;
  state: FinalState;
  text: string;
  seq: number;
  citations?: Citation[] | null;
  corrected?: boolean;
  error?: WireError | null;
  reasoning?: Reasoning | null;
}

/** A rating as it was recorded, in whichever tab it was given. */
export interface TurnRated {
  turn_id: string;
  rating: Rating;
}

/** What `resume` answers, and what `session.resumed` carries for `auth.after`. */
export interface Resumed {
  ok: true;
  state: TurnState | Activity;
  turn_id?: string;
  pieces?: { seq: number; text: string }[];
  reset?: { text: string; seq: number };
  finished?: TurnFinished | null;
}

export interface Refusal {
  ok: false;
  error: WireError;
}

export interface Accepted {
  ok: true;
  turn_id: string;
  client_id: string | null;
  duplicate: boolean;
}

export interface HistoryPage {
  ok: true;
  turns: WireTurn[];
  more: boolean;
}

/** One of a signed-in user's conversations; `at`: when something was last said in it. */
export interface WireConversation {
  conversation_uuid: string;
  title: string;
  at: string;
}

export interface ConversationsPage {
  ok: true;
  conversations: WireConversation[];
  more: boolean;
}

export interface ServerMessage {
  code: string;
  text: string;
  retry_after?: number;
}

const FINAL: ReadonlySet<string> = new Set(["complete", "stopped", "failed", "interrupted", "truncated"]);

export function isFinal(state: string): state is FinalState {
  return FINAL.has(state);
}
