/**
 * One turn on the page: the question, what was thought, the answer, what became of it, its sources and the thumbs.
 * Shows what it is given and says what was pressed; decides nothing.
 */
import { AnswerView } from "./answer";
import { showTime } from "./days";
import { h } from "./element";
import { Feedback, type Rate } from "./feedback";
import type { Outgoing } from "./outbox";
import { ReasoningView } from "./reasoning";
import { safeLink } from "./sanitise";
import { fill, language, sentence, texts } from "./texts";
import { type Turn, isOpen } from "./turn";
import type { Citation } from "./wire";

export interface TurnActions {
  rate: Rate;
  ask(text: string): void;
  sendAgain(clientId: string): void;
  discard(clientId: string): void;
}

/** Final states that need a word; each is its own key in the dictionary. */
const NOTED = new Set(["stopped", "interrupted", "failed", "truncated"]);
/** What is said aloud while an answer is made; the rest is only to be seen. */
const TOLD = new Set(["queued", "stalled"]);
/** Characters of an answer that are read out. */
export const SPOKEN_MAX = 2_000;
/** What failed or was cut off by us is not the assistant's answer to be judged. */
const RATEABLE = new Set(["complete", "truncated", "stopped"]);
/** What went wrong will go wrong again: nothing is gained by asking the same once more. */
const HOPELESS = new Set([
  "assistant_misconfigured", "assistant_quota", "assistant_refused", "content_filtered", "context_too_long",
]);

export class TurnView {
  readonly element = h("article", { class: "turn", "data-test": "turn" });
  readonly #question = h("div", { class: "question", "data-test": "question" });
  readonly #reply = h("div", { class: "reply", "data-test": "answer" });
  readonly #reasoning = new ReasoningView();
  readonly #progress = h("p", { class: "progress" }, h("span", { class: "dots" }, h("i"), h("i"), h("i")), h("span"));
  readonly #sources = h("ol", { class: "sources", "aria-label": texts.sources });
  readonly #note = h("p", { class: "note" });
  readonly #feedback: Feedback;
  readonly #time = h("time");
  readonly #answer = new AnswerView();
  readonly #actions: TurnActions;
  #shown: Turn | Outgoing | null = null;
  /** What is said of a message on its way. */
  #said = "";

  constructor(actions: TurnActions) {
    this.#actions = actions;
    this.#feedback = new Feedback(actions.rate);
    this.#reply.append(this.#answer.element);
    this.element.append(unseen(texts.you), this.#question, this.#note);
    this.element.addEventListener("click", (event) => this.#onSource(event));
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") this.#onSource(event);
    });
  }

  /** What somebody has to hear who cannot see it: that it waits or was not taken; when it is answered, the answer. */
  get news(): string {
    const turn = this.#shown;
    const note = this.#note.firstElementChild?.textContent ?? "";
    if (!turn || !("activity" in turn)) return turn?.error ? note : "";
    if (isOpen(turn)) return TOLD.has(turn.activity!) ? progressWords(turn) : "";
    const spoken = this.#answer.spoken(SPOKEN_MAX);
    return [spoken && fill(texts.finished, spoken), note].join(" ").trim();
  }

  /** One step towards what `showTurn` was given. False: it is all there. */
  advance(): boolean {
    return this.#answer.advance();
  }

  showOutgoing(message: Outgoing, online: boolean): void {
    const { state: wanted, error, clientId, text, tries } = message;
    // That a message which was held is tried once more would only flicker.
    const held = wanted !== "refused" && error;
    const state = wanted === "refused" ? wanted : !online ? "offline" : held ? "waiting" : wanted;
    this.#shown = message;
    const discard = action(texts.discard, () => this.#actions.discard(clientId), "discard");
    // What was under way once may have arrived: to take it back would be a promise that we cannot keep.
    const own = tries && !(held && online) ? [] : [discard];
    // What stands there stays, and the focus on its buttons with it.
    const said = [state, own.length, error?.message].join();
    if (this.#said === said) return;
    this.#said = said;
    this.element.dataset["state"] = state;
    this.element.dataset["turnId"] = "";
    this.#question.textContent = text;
    if (state === "refused") this.#showRefused(message, discard);
    else if (state === "offline") this.#say(texts.waiting, ...own);
    else if (held) this.#say(`${sentence(error)} ${texts.sentAgain}`, ...own);
    else this.#say(state === "waiting" ? texts.waitingTurn : texts.sending, ...own);
  }

  showTurn(turn: Turn): void {
    if (this.#shown === turn) return;
    this.#shown = turn;
    this.#said = "";
    this.element.dataset["state"] = turn.state;
    this.element.dataset["turnId"] = turn.id;
    this.#question.textContent = turn.question;
    showTime(this.#time, turn.at);
    if (!this.#reply.isConnected) this.#question.after(this.#time, unseen(texts.assistant), this.#reply, this.#sources);
    this.#showReasoning(turn);
    this.#showAnswer(turn);
    this.#showNote(turn);
  }

  #showReasoning({ reasoning }: Turn): void {
    const { element } = this.#reasoning;
    if (!reasoning?.text) return element.remove();
    this.#reasoning.show(reasoning);
    // What is put in again forgets how far it was scrolled.
    if (!element.parentNode) this.#reply.before(element);
  }

  #showAnswer(turn: Turn): void {
    const open = isOpen(turn);
    if (open) this.#answer.stream(turn.answer);
    else this.#answer.finish(turn.answer, turn.citations);
    const busy = open && (turn.answer === "" || turn.activity !== "answering");
    this.#reply.hidden = !busy && turn.answer === "";
    if (busy) this.#showProgress(turn);
    else this.#progress.remove();
    this.#showSources(open ? [] : turn.citations);
    this.#showFeedback(turn);
  }

  #showProgress(turn: Turn): void {
    const words = turn.stopping ? texts.stopping : progressWords(turn);
    this.#progress.lastElementChild!.textContent = words;
    if (!this.#progress.isConnected) this.#reply.append(this.#progress);
  }

  #showSources(citations: readonly Citation[]): void {
    this.#sources.hidden = citations.length === 0;
    this.#sources.replaceChildren(...citations.map(source));
  }

  #showFeedback(turn: Turn): void {
    const rateable = RATEABLE.has(turn.state) && turn.answer !== "";
    if (!rateable) return this.#feedback.element.remove();
    this.#feedback.show(turn);
    if (!this.#feedback.element.isConnected) this.element.append(this.#feedback.element);
  }

  #showNote(turn: Turn): void {
    const words = turn.state === "complete" && turn.answer === "" ? texts.nothing : NOTED.has(turn.state) && texts[turn.state as "stopped"];
    if (!words) return this.#say(null);
    const failed = turn.state === "failed" || turn.state === "interrupted" || words === texts.nothing;
    const error = turn.error && sentence(turn.error);
    if (!failed) return this.#say(error ?? words);
    // The state in a word of ours, what happened in the server's.
    const hopeless = HOPELESS.has(turn.error?.code ?? "");
    this.#say(error ?? words, ...(hopeless ? [] : [action(texts.askAgain, () => this.#actions.ask(turn.question))]));
    this.#note.dataset["test"] = "error";
    this.#note.classList.add("bad");
  }

  #showRefused({ clientId, error }: Outgoing, discard: HTMLElement): void {
    const again = action(texts.tryAgain, () => this.#actions.sendAgain(clientId), "retry");
    this.#say(error ? sentence(error) : texts.unanswered, again, discard);
    this.#note.dataset["test"] = "error";
    this.#note.classList.add("bad");
  }

  #say(words: string | null, ...buttons: HTMLElement[]): void {
    this.#note.className = "note";
    delete this.#note.dataset["test"];
    this.#note.hidden = words === null;
    this.#note.replaceChildren(...(words === null ? [] : [h("span", {}, words), ...buttons]));
  }

  /** A mark in the text leads to its source below. */
  #onSource(event: Event): void {
    const n = (event.target as Element).closest("[data-source]")?.getAttribute("data-source");
    if (!n) return;
    event.preventDefault();
    const item = [...this.#sources.children].find((child) => child.getAttribute("value") === n);
    item?.scrollIntoView({ block: "nearest" });
    (item?.querySelector("a") ?? (item as HTMLElement | undefined))?.focus();
  }
}

function progressWords(turn: Turn): string {
  // The server says it in English.
  if (turn.detail && language.tag.startsWith("en")) return turn.detail;
  if (turn.activity === "tool") return texts.tool;
  if (turn.activity === "queued") return texts.queued;
  return turn.activity === "stalled" ? texts.stalled : texts.thinking;
}

function source(citation: Citation): HTMLElement {
  const label = citation.title || citation.filename || citation.url || fill(texts.source, citation.n);
  const href = safeLink(citation.url);
  const item = h("li", { value: String(citation.n), tabindex: "-1" }, h("span", { class: "number" }, String(citation.n)));
  item.append(href ? h("a", { href, target: "_blank", rel: "noopener noreferrer" }, label) : h("span", {}, label));
  return item;
}

function action(label: string, pressed: () => void, test = "action"): HTMLElement {
  const element = h("button", { type: "button", class: "action", "data-test": test }, label);
  element.addEventListener("click", pressed);
  return element;
}

function unseen(words: string): HTMLElement {
  return h("span", { class: "unseen" }, words);
}
