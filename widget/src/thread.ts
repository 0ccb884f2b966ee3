/**
 * The scrolling list of turns: keeps one view for each turn, stays at the bottom while the reader is there.
 */
import type { Chat } from "./chat";
import { Days } from "./days";
import { button, h, icon } from "./element";
import { texts } from "./texts";
import { isOpen } from "./turn";
import { type TurnActions, TurnView } from "./turnview";

/** So near the end counts as "at the bottom". */
const NEAR = 48;
/** So near the beginning is time to ask for what was before. */
const REACH = 600;
/** So long the answers may work on themselves in one frame. Laying out what they made comes on top. */
const WORK_MS = 10;

export class Thread {
  readonly element = h("div", { class: "thread", tabindex: "0", role: "log", "aria-live": "off", "aria-label": texts.conversation });
  readonly latest = button("latest", texts.latest, { class: "latest", hidden: "" });
  readonly #column = h("div", { class: "column" });
  readonly #earlier = h("button", { type: "button", class: "earlier", "data-test": "earlier" }, texts.earlier);
  readonly #renewed = h("p", { class: "renewed", "data-test": "renewed", role: "status" });
  readonly #empty: HTMLElement;
  readonly #turns = h("div", { class: "turns" });
  readonly #days = new Days();
  readonly #views = new Map<string, TurnView>();
  readonly #actions: TurnActions;
  readonly #announce: (text: string) => void;
  readonly #loadEarlier: () => void;
  /** What was last said aloud of each turn that is not answered. */
  readonly #told = new Map<string, string>();
  #conversation: string | null = null;
  /** The turn before which there are others that could be asked for now, and the last one asked for by scrolling. */
  #first: string | null = null;
  #asked: string | null = null;
  #stuck = true;
  /** Where we were, and how tall the window on it was, when we last looked. */
  #seen = { top: 0, height: 0 };

  constructor(actions: TurnActions, earlier: () => void, announce: (text: string) => void, prompts: readonly string[] = []) {
    this.#actions = actions;
    this.#announce = announce;
    this.#loadEarlier = earlier;
    this.#empty = emptyState(actions.ask, prompts);
    this.#column.append(this.#earlier, this.#renewed, this.#empty, this.#turns);
    this.element.append(this.#column);
    this.#earlier.addEventListener("click", earlier);
    this.latest.addEventListener("click", () => this.toLatest());
    this.element.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    // With Ctrl the wheel zooms.
    this.element.addEventListener("wheel", ({ deltaY, ctrlKey, target }) => this.#onWay(deltaY < 0 && !ctrlKey, target), { passive: true });
    this.element.addEventListener("keydown", ({ key, target }) => this.#onWay(/Up$|Home/.test(key) && (target as Element).localName !== "textarea", target));
    this.element.addEventListener("click", ({ target }) => this.#onFold(target));
    // A smaller window or a taller question must not push the end out of sight either.
    const sizes = new ResizeObserver(() => this.#stick());
    sizes.observe(this.element);
    sizes.observe(this.#column);
  }

  /** True: the answers are not finished with this, show it again in the next frame. */
  show(chat: Chat): boolean {
    const { conversation, outbox } = chat;
    // The reader may have moved already, and the browser says so only later (WebKit).
    this.#onScroll();
    if (conversation.id !== this.#conversation) this.#stuck = true;
    this.#conversation = conversation.id;
    const anchor = this.#anchor();
    const before = anchor?.offsetTop ?? 0;
    const views = new Map<string, TurnView>();
    for (const turn of conversation.turns) {
      const key = turn.clientId ?? turn.id;
      const view = this.#view(key);
      view.showTurn(turn);
      views.set(key, view);
    }
    for (const message of outbox) {
      const view = this.#view(message.clientId);
      view.showOutgoing(message, chat.online);
      views.set(message.clientId, view);
    }
    const order = [...views.values()];
    this.#arrange(this.#days.between(order.map((view) => view.element), [...conversation.turns, ...outbox].map(({ at }) => at)));
    this.#showAround(chat, order.length === 0);
    const unfinished = work(order);
    const over = new Set(conversation.turns.filter((turn) => !isOpen(turn)).map((turn) => turn.clientId ?? turn.id));
    for (const [key, view] of views) this.#tell(key, !over.has(key), view);
    // What grew above the reader, or came before it, must not move what they read.
    const grown = anchor?.isConnected && !this.#stuck && anchor.offsetTop - before;
    // Not by nothing: to be set where it is would end a scrolling that is under way.
    if (grown) this.element.scrollBy(0, grown);
    this.#stick();
    return unfinished;
  }

  toLatest(): void {
    this.#stuck = true;
    this.#stick();
  }

  /** The turn that the reader sees first, unless they follow the end. */
  #anchor(): HTMLElement | undefined {
    if (this.#stuck) return;
    const top = this.element.scrollTop;
    return [...this.#turns.querySelectorAll<HTMLElement>(".turn")].find((turn) => turn.offsetTop + turn.offsetHeight > top);
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
      this.#views.delete(key);
    }
    for (const there of [...this.#turns.children]) if (!wanted.has(there)) there.remove();
    order.forEach((element, index) => {
      const there = this.#turns.children[index] ?? null;
      if (there !== element) this.#turns.insertBefore(element, there);
    });
  }

  #showAround(chat: Chat, empty: boolean): void {
    const { renewed, more } = chat.conversation;
    // Nothing to say about an empty page that is still on its way to the server.
    this.#empty.hidden = !empty || !chat.everOnline;
    this.#first = more && chat.online && !chat.requests.loadingEarlier ? (chat.conversation.turns[0]?.id ?? null) : null;
    // A button that goes, or is disabled, would take the focus with it.
    if (!more && this.#earlier.matches(":focus")) this.element.focus({ preventScroll: true });
    this.#earlier.hidden = !more;
    this.#earlier.setAttribute("aria-busy", String(chat.requests.loadingEarlier));
    this.#earlier.disabled = !chat.online;
    this.#renewed.hidden = !renewed;
    this.#renewed.textContent = renewed ? texts[renewed] : "";
  }

  /** Says once what became of a turn, and its answer when that is whole; token by token nobody could listen to it. */
  #tell(key: string, open: boolean, view: TurnView): void {
    const told = this.#told.get(key);
    // What was over when we came was not waited for.
    if (!open && told === undefined) return;
    const { news } = view;
    if (news && news !== told) this.#announce(news);
    if (open) this.#told.set(key, news);
    else this.#told.delete(key);
  }

  #stick(): void {
    // An empty one begins with its greeting.
    if (this.#stuck) this.element.scrollTop = this.#views.size && this.element.scrollHeight;
    this.#onScroll();
  }

  /** Before anything has moved: to be put at the end now would be the end of a scrolling that is smooth. */
  #onWay(up: boolean, target: EventTarget | null): void {
    // Thoughts that can scroll do so first.
    if (up && this.element.scrollTop && !(target as Element).closest(".thoughts")?.scrollTop) this.#stuck = false;
  }

  /** What was unfolded by a click stays under the pointer: the end is followed only if it is in sight all the same. */
  #onFold(target: EventTarget | null): void {
    if (!(target as Element).closest("summary")) return;
    this.#stuck = this.#left <= 1;
    this.#onScroll();
  }

  /** How far the end is below the window. */
  get #left(): number {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    return scrollHeight - scrollTop - clientHeight;
  }

  #onScroll(): void {
    const { scrollTop, clientHeight } = this.element;
    const left = this.#left;
    const way = scrollTop - this.#seen.top;
    // Only the reader's own way up lets go, however short it is yet: smooth scrolling begins with a pixel. A text field
    // that grows moves the end as well, and what becomes shorter ends where it ends.
    const wentUp = way < 0 && clientHeight === this.#seen.height;
    this.#stuck = wentUp ? this.#stuck && left <= 1 : this.#stuck || (!!way && left < NEAR);
    this.#seen = { top: scrollTop, height: clientHeight };
    this.latest.hidden = this.#stuck;
    if (wentUp && scrollTop < REACH) this.#reachBack();
  }

  /** By itself once for each beginning; when that fails, the button is there. */
  #reachBack(): void {
    if (this.#stuck || !this.#first || this.#first === this.#asked) return;
    this.#asked = this.#first;
    this.#loadEarlier();
  }
}

/** The newest turn first: its end is what the reader waits for. */
function work(views: readonly TurnView[]): boolean {
  const end = performance.now() + WORK_MS;
  for (const view of [...views].reverse()) while (view.advance()) if (performance.now() > end) return true;
  return false;
}

function emptyState(ask: (text: string) => void, prompts: readonly string[]): HTMLElement {
  const starters = prompts.map((text) => {
    const starter = h("button", { type: "button", class: "starter", "data-test": "starter" }, text);
    starter.addEventListener("click", () => ask(text));
    return starter;
  });
  return h(
    "div",
    { class: "empty", "data-test": "empty" },
    icon("chat"),
    h("h2", {}, texts.greeting),
    h("p", {}, texts.introduction),
    h("div", { class: "starters" }, ...starters),
  );
}
