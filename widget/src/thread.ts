/**
 * The scrolling list of turns: keeps one view for each turn, stays at the bottom while the reader is there.
 */
import type { Chat } from "./chat";
import { button, h } from "./element";
import { fill, texts } from "./texts";
import { isOpen } from "./turn";
import { type TurnActions, TurnView } from "./turnview";

const STARTERS = ["What is this?", "How do I put it on my site?", "How do I connect a model?"];
/** So near the end counts as "at the bottom". */
const NEAR = 48;

export class Thread {
  readonly element = h("div", { class: "thread", tabindex: "0", role: "log", "aria-live": "off", "aria-label": texts.conversation });
  readonly latest = button("latest", texts.latest, { class: "latest", hidden: "" });
  readonly #column = h("div", { class: "column" });
  readonly #earlier = h("button", { type: "button", class: "earlier", "data-test": "earlier" }, texts.earlier);
  readonly #renewed = h("p", { class: "renewed", "data-test": "renewed", role: "status" });
  readonly #empty: HTMLElement;
  readonly #turns = h("div", { class: "turns" });
  readonly #views = new Map<string, TurnView>();
  readonly #open = new Set<string>();
  readonly #actions: TurnActions;
  readonly #announce: (text: string) => void;
  #stuck = true;
  /** Where we were, and how tall the window on it was, when we last looked. */
  #seen = { top: 0, height: 0 };

  constructor(actions: TurnActions, earlier: () => void, announce: (text: string) => void) {
    this.#actions = actions;
    this.#announce = announce;
    this.#empty = emptyState(actions.ask);
    this.#column.append(this.#earlier, this.#renewed, this.#empty, this.#turns);
    this.element.append(this.#column);
    this.#earlier.addEventListener("click", earlier);
    this.latest.addEventListener("click", () => this.toLatest());
    this.element.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    // A smaller window or a taller question must not push the end out of sight either.
    const sizes = new ResizeObserver(() => this.#stick());
    sizes.observe(this.element);
    sizes.observe(this.#column);
  }

  show(chat: Chat): void {
    const { conversation, outbox } = chat;
    const firstBefore = this.#turns.firstElementChild;
    const fromEnd = this.element.scrollHeight - this.element.scrollTop;
    const order: HTMLElement[] = [];
    for (const turn of conversation.turns) {
      const view = this.#view(turn.clientId ?? turn.id);
      view.showTurn(turn);
      order.push(view.element);
      this.#announceOnce(turn.id, isOpen(turn), view);
    }
    for (const message of outbox) {
      const view = this.#view(message.clientId);
      view.showOutgoing(message, chat.online);
      order.push(view.element);
    }
    this.#arrange(order);
    this.#showAround(chat, order.length === 0);
    const prepended = firstBefore?.isConnected && firstBefore !== this.#turns.firstElementChild;
    if (prepended) this.element.scrollTop = this.element.scrollHeight - fromEnd;
    else this.#stick();
  }

  toLatest(): void {
    this.#stuck = true;
    this.#stick();
  }

  #view(key: string): TurnView {
    const view = this.#views.get(key) ?? new TurnView(this.#actions);
    this.#views.set(key, view);
    return view;
  }

  #arrange(order: HTMLElement[]): void {
    const wanted = new Set<Element>(order);
    for (const [key, view] of this.#views) {
      if (wanted.has(view.element)) continue;
      view.element.remove();
      this.#views.delete(key);
    }
    order.forEach((element, index) => {
      const there = this.#turns.children[index] ?? null;
      if (there !== element) this.#turns.insertBefore(element, there);
    });
  }

  #showAround(chat: Chat, empty: boolean): void {
    const { renewed, more } = chat.conversation;
    // Nothing to say about an empty page that is still on its way to the server.
    this.#empty.hidden = !empty || !chat.everOnline;
    this.#earlier.hidden = !more;
    this.#earlier.disabled = chat.loadingEarlier || !chat.online;
    this.#renewed.hidden = !renewed;
    this.#renewed.textContent = renewed ? texts[renewed] : "";
  }

  /** Said once when the answer is whole; token by token nobody could listen to it. */
  #announceOnce(id: string, open: boolean, view: TurnView): void {
    if (open) this.#open.add(id);
    else if (this.#open.delete(id)) this.#announce(fill(texts.finished, view.spoken || view.element.innerText));
  }

  #stick(): void {
    if (this.#stuck) this.element.scrollTop = this.element.scrollHeight;
    this.#onScroll();
  }

  #onScroll(): void {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    const near = scrollHeight - scrollTop - clientHeight < NEAR;
    // Only the reader's own way up lets go: a text field that grows moves the end as well.
    const wentUp = scrollTop < this.#seen.top && clientHeight === this.#seen.height;
    this.#stuck = near || (this.#stuck && !wentUp);
    this.#seen = { top: scrollTop, height: clientHeight };
    this.latest.hidden = this.#stuck;
  }
}

function emptyState(ask: (text: string) => void): HTMLElement {
  const starters = STARTERS.map((text) => {
    const starter = h("button", { type: "button", class: "starter", "data-test": "starter" }, text);
    starter.addEventListener("click", () => ask(text));
    return starter;
  });
  return h(
    "div",
    { class: "empty", "data-test": "empty" },
    h("h2", {}, texts.greeting),
    h("p", {}, texts.introduction),
    h("div", { class: "starters" }, ...starters),
  );
}
