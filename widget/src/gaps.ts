/**
 * What is missing of the open turns: asks at once for a hole, and after a while for a turn that has gone silent.
 * Knows when to ask; what is asked and what becomes of the answer is the chat's business.
 */
import { type Conversation, holes } from "./conversation";
import { isOpen } from "./turn";

const SILENCE_MS = 15_000;
const AGAIN_MS = 1_000;

export class Gaps {
  readonly #now: () => Conversation;
  readonly #resume: (turnId: string, afterSeq: number) => Promise<void>;
  #asking = new Set<string>();
  readonly #heardAt = new Map<string, number>();
  #watch: ReturnType<typeof setInterval> | undefined;

  constructor(now: () => Conversation, resume: (turnId: string, afterSeq: number) => Promise<void>) {
    this.#now = now;
    this.#resume = resume;
  }

  /** To be called after every change: notes who was heard, and asks for holes. */
  changed(before: Conversation): void {
    const { turns } = this.#now();
    for (const turn of turns) if (!before.turns.includes(turn)) this.#heardAt.set(turn.id, Date.now());
    this.#askForHoles();
    this.#watchWhile(turns.some(isOpen));
  }

  async ask(turnId: string): Promise<void> {
    const turn = this.#now().turns.find((candidate) => candidate.id === turnId);
    const asking = this.#asking;
    if (!turn || asking.has(turnId)) return;
    asking.add(turnId);
    await this.#resume(turnId, turn.seq);
    // A question of an earlier connection is no business of this one's.
    if (asking !== this.#asking) return;
    this.#heardAt.set(turnId, Date.now());
    // An answer that did not close the hole must not make us ask in a tight loop.
    setTimeout(() => {
      asking.delete(turnId);
      this.#askForHoles();
    }, AGAIN_MS);
  }

  /** The connection is gone, and with it every question. */
  disconnected(): void {
    this.#asking = new Set();
  }

  close(): void {
    this.#watchWhile(false);
  }

  #askForHoles(): void {
    const conversation = this.#now();
    if (conversation.ready) for (const hole of holes(conversation)) void this.ask(hole.turn_id);
  }

  #watchWhile(open: boolean): void {
    if (open) this.#watch ??= setInterval(() => this.#askTheSilent(), 1_000);
    else {
      clearInterval(this.#watch);
      this.#watch = undefined;
    }
  }

  #askTheSilent(): void {
    const { ready, turns } = this.#now();
    if (!ready) return;
    for (const turn of turns) {
      if (isOpen(turn) && Date.now() - (this.#heardAt.get(turn.id) ?? 0) >= SILENCE_MS) void this.ask(turn.id);
    }
  }
}
