/**
 * Tells the page what happens in the chat: compares the state with what it was, whichever way it got there. So a
 * message that was accepted while the connection was away is told as well, and what was there at the start is not.
 */
import type { Tell } from "./api";
import type { Chat } from "./chat";
import { isOpen } from "./turn";

export class Herald {
  readonly #tell: Tell;
  #conversation: string | null = null;
  #problem: Chat["problem"] = null;
  /** Turns that we know, and whether their answer was still to come. */
  readonly #known = new Map<string, boolean>();

  constructor(tell: Tell) {
    this.#tell = tell;
  }

  /** To be called after every change, not once a frame: a hidden page draws no frames. */
  changed({ conversation: { id, turns }, problem, userId }: Chat): void {
    const another = id !== this.#conversation;
    if (another) this.#known.clear();
    // Those before the first one known were loaded as history.
    const first = turns.findIndex((turn) => this.#known.has(turn.id));
    turns.forEach((turn, index) => {
      const before = this.#known.get(turn.id);
      this.#known.set(turn.id, isOpen(turn));
      if (another || index < first) return;
      if (before === undefined) this.#tell("message", { turn_id: turn.id, text: turn.question });
      if (before !== false && !isOpen(turn)) this.#tell("answer", { turn_id: turn.id, text: turn.answer, state: turn.state });
    });
    this.#conversation = id;
    if (another && id) this.#tell("ready", { conversation_uuid: id, user_id: userId });
    if (problem && problem !== this.#problem) this.#tell("error", { code: problem.code, message: problem.message });
    this.#problem = problem;
  }
}
