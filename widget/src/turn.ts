/**
 * One turn (a question and its answer) as the browser knows it, and how pieces extend it.
 * Pure: no DOM, no socket. A piece is applied once and in order, or kept until the hole before it is closed.
 */
import {
  type Activity,
  type Citation,
  type Rating,
  type Reasoning,
  type Resumed,
  type Running,
  type TurnFinished,
  type TurnStarted,
  type TurnState,
  type WireError,
  type WireTurn,
  isFinal,
} from "./wire";

export interface Turn {
  readonly id: string;
  readonly clientId: string | null;
  readonly at: string;
  readonly question: string;
  readonly answer: string;
  /** The last piece that `answer` covers; -1 for none. */
  readonly seq: number;
  readonly state: TurnState;
  readonly activity: Activity | null;
  readonly detail: string | null;
  readonly citations: readonly Citation[];
  readonly feedback: Rating;
  readonly error: WireError | null;
  readonly reasoning: Reasoning | null;
  /** Pieces beyond a hole, by seq. Not empty means: ask the server to `resume`. */
  readonly ahead: ReadonlyMap<number, string>;
  /** The reader has asked for a stop; said again after a reconnect until the turn is final. */
  readonly stopping: boolean;
}

const NONE_AHEAD: ReadonlyMap<number, string> = new Map();

export function turnFromWire(wire: WireTurn): Turn {
  return {
    id: wire.turn_id,
    clientId: wire.client_id,
    at: wire.at,
    question: wire.text,
    answer: wire.answer ?? "",
    seq: -1,
    state: wire.state,
    activity: wire.state === "queued" ? "queued" : null,
    detail: null,
    citations: wire.citations ?? [],
    feedback: wire.feedback ?? null,
    error: wire.error ?? null,
    reasoning: wire.reasoning ?? null,
    ahead: NONE_AHEAD,
    stopping: false,
  };
}

export function turnFromStart(start: TurnStarted): Turn {
  const turn = turnFromWire({ ...start, answer: "", state: "queued", citations: [], feedback: null, error: null });
  // Most begin at once: that this one has to wait is said by its first status.
  return { ...turn, activity: null };
}

export function isOpen(turn: Turn): boolean {
  return !isFinal(turn.state);
}

export function hasHole(turn: Turn): boolean {
  return isOpen(turn) && turn.ahead.size > 0;
}

export function withPiece(turn: Turn, seq: number, text: string): Turn {
  if (!isOpen(turn) || seq <= turn.seq || turn.ahead.has(seq)) return turn;
  if (seq > turn.seq + 1) return { ...turn, ahead: new Map(turn.ahead).set(seq, text) };
  return closeUp({ ...turn, answer: turn.answer + text, seq, state: "running", activity: "answering", detail: null });
}

/** Takes over the whole text up to `seq`. Of an open turn an older snapshot than what we have says nothing new. */
export function withReset(turn: Turn, text: string, seq: number): Turn {
  if (!isOpen(turn) || seq <= turn.seq) return turn;
  return closeUp({ ...turn, answer: text, seq, state: "running" });
}

export function withRunning(turn: Turn, running: Running): Turn {
  return withActivity(withReset(turn, running.text, running.seq), running.state);
}

/** How a turn ended has the last word on this as well. */
export function withReasoning(turn: Turn, { text, seconds }: Reasoning): Turn {
  return isOpen(turn) ? { ...turn, reasoning: { text, seconds } } : turn;
}

/** A state word as the server uses it: of the turn as a whole or of what it does just now. */
export function withActivity(turn: Turn, word: TurnState | Activity, detail: string | null = null): Turn {
  if (!isOpen(turn) || isFinal(word)) return turn;
  // A late "queued" cannot take back an answer that has begun.
  if (word === "queued") return turn.seq >= 0 ? turn : { ...turn, state: "queued", activity: "queued", detail };
  return { ...turn, state: "running", activity: word === "running" ? turn.activity : word, detail };
}

export function withResumed(turn: Turn, resumed: Resumed): Turn {
  if (resumed.finished) return withFinish(turn, resumed.finished);
  let next = turn;
  if (resumed.reset) {
    // A final text may be shorter than what was shown: the end of an interrupted turn is taken back.
    next = isFinal(resumed.state)
      ? { ...turn, answer: resumed.reset.text, seq: resumed.reset.seq }
      : withReset(turn, resumed.reset.text, resumed.reset.seq);
  }
  for (const piece of resumed.pieces ?? []) next = withPiece(next, piece.seq, piece.text);
  if (isFinal(resumed.state)) return { ...next, state: resumed.state, activity: null, ahead: NONE_AHEAD };
  return withActivity(next, resumed.state);
}

export function withFinish(turn: Turn, finished: TurnFinished): Turn {
  return {
    ...turn,
    answer: finished.text,
    seq: finished.seq,
    state: finished.state,
    activity: null,
    detail: null,
    citations: finished.citations ?? [],
    error: finished.error ?? null,
    reasoning: finished.reasoning ?? turn.reasoning,
    ahead: NONE_AHEAD,
    stopping: false,
  };
}

/** Appends the pieces that waited beyond a hole which is closed now. */
function closeUp(turn: Turn): Turn {
  if (turn.ahead.size === 0) return turn;
  const ahead = new Map(turn.ahead);
  let { answer, seq } = turn;
  for (const waiting of [...ahead.keys()].sort((a, b) => a - b)) {
    if (waiting > seq + 1) break;
    if (waiting === seq + 1) {
      answer += ahead.get(waiting);
      seq = waiting;
    }
    ahead.delete(waiting);
  }
  return { ...turn, answer, seq, ahead };
}
