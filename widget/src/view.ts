/**
 * What the widget shows: bar, thread, banner, composer. The frame around them, with the round button, is popup.ts.
 * Draws the chat's state once a frame, however many pieces came in between.
 */
import type { Tell } from "./api";
import type { Chat } from "./chat";
import { Composer, charactersOf } from "./composer";
import { openTurn } from "./conversation";
import { button, h } from "./element";
import { Past } from "./past";
import { PopUp } from "./popup";
import { fill, sentence, texts } from "./texts";
import { Thread } from "./thread";
import { SPOKEN_MAX } from "./turnview";

/** So long without ever having been connected is not "Connecting…" any more. */
const PATIENCE_MS = 8_000;
const MINUTE_MS = 60_000;

/** What the page wants of the view. `look`: more classes of the frame. */
export interface Wishes {
  prompts: readonly string[];
  look: string;
  tell: Tell;
}

export class View {
  readonly popUp: PopUp;
  readonly #chat: Chat;
  readonly #floating: boolean;
  readonly #tell: Tell;
  readonly #thread: Thread;
  readonly composer: Composer;
  readonly #past: Past;
  readonly #connection = h("span", { class: "connection", role: "status", "data-test": "connection" });
  readonly #new = button("new", texts.newConversation, { class: "new", "data-test": "new" });
  readonly #close = button("close", texts.close, { class: "close", "data-test": "close" });
  readonly #banner = h("div", { class: "banner", role: "alert" });
  readonly #spoken = h("div", { class: "unseen", "aria-live": "polite", "data-test": "announcer" });
  readonly #unlisten = new AbortController();
  #patience: ReturnType<typeof setTimeout> | undefined;
  /** "Today" is yesterday after midnight. */
  readonly #clock = setInterval(() => this.changed(), MINUTE_MS);
  #first: string = texts.connecting;
  #frame = 0;

  constructor(chat: Chat, floating: boolean, { prompts, look, tell }: Wishes = { prompts: [], look: "", tell: () => undefined }) {
    this.#chat = chat;
    this.#floating = floating;
    this.#tell = tell;
    this.composer = new Composer({ send: (text) => this.send(text), stop: () => chat.stop() });
    this.#thread = new Thread(
      {
        rate: (turnId, rating, comment) => chat.requests.rate(turnId, rating, comment),
        ask: (text) => void this.send(text),
        sendAgain: (clientId) => chat.sendAgain(clientId),
        discard: (clientId) => chat.discard(clientId),
      },
      () => void chat.requests.earlier(),
      (text) => this.#announce(text),
      prompts,
    );
    this.#past = new Past(chat, this.#thread.element);
    const told: Tell = (event, detail) => {
      if (event === "open") this.#thread.toLatest();
      tell(event, detail);
    };
    this.popUp = new PopUp(this.#assemble(), this.composer.input, floating, look, told, this.#unlisten.signal);
    this.#listen();
    this.#draw();
  }

  get root(): HTMLElement {
    return this.popUp.root;
  }

  /** The chat connects from now on. */
  connecting(): void {
    this.#patience ??= setTimeout(() => this.#despair(), PATIENCE_MS);
  }

  /** Asks for a drawing in the next frame. */
  changed(): void {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  destroy(): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#patience);
    clearInterval(this.#clock);
    this.#unlisten.abort();
  }

  #assemble(): HTMLElement {
    const heading = h("div", { class: "heading" }, h("h2", { class: "title" }, texts.title), this.#connection);
    const bar = h("header", { class: "bar" }, heading, this.#past.opener, this.#new);
    this.#new.append(h("span", {}, texts.newConversation));
    if (this.#floating) bar.append(this.#close);
    const middle = h("div", { class: "middle" }, this.#thread.element, this.#thread.latest, this.#past.element);
    const role = this.#floating ? "dialog" : "region";
    return h("section", { class: "panel", role, "aria-label": texts.title }, bar, middle, this.#banner, this.composer.element, this.#spoken);
  }

  #despair(): void {
    // Whoever was refused has been told why.
    if (this.#chat.problem) return;
    this.#first = texts.unreachable;
    if (!this.#chat.everOnline) this.#tell("error", { code: "unreachable", message: texts.unreachable });
    this.changed();
  }

  #listen(): void {
    const { signal } = this.#unlisten;
    for (const event of ["online", "offline"]) addEventListener(event, () => this.changed(), { signal });
    this.#close.addEventListener("click", () => this.popUp.close());
    this.#new.addEventListener("click", () => void this.#startAnew());
  }

  /** As if the visitor had written it. False if it is too long. */
  send(text: string): boolean {
    const max = this.#chat.conversation.limits.max_text;
    const length = charactersOf(text);
    if (length > max) {
      this.#chat.show({ code: "too_long", message: fill(texts.tooLong, length, max) });
      return false;
    }
    this.#past.close();
    this.#thread.toLatest();
    this.#chat.send(text);
    return true;
  }

  async #startAnew(): Promise<void> {
    this.#past.close();
    await this.#chat.startAnew();
    this.composer.input.focus({ preventScroll: true });
  }

  #draw(): void {
    this.#frame = 0;
    const { conversation, online, problem } = this.#chat;
    const open = openTurn(conversation);
    this.#showConnection(online);
    this.#past.show();
    if (this.#thread.show(this.#chat)) this.changed();
    this.composer.show(open !== undefined, open?.stopping ?? false, online, conversation.limits.max_text);
    this.#new.disabled = !online || (conversation.turns.length === 0 && this.#chat.outbox.length === 0);
    this.#showProblem(problem && sentence(problem));
  }

  #showConnection(online: boolean): void {
    const lost = navigator.onLine ? (this.#chat.everOnline ? texts.reconnecting : this.#first) : texts.noNetwork;
    const words = online ? texts.online : lost;
    this.#connection.dataset["state"] = online ? "online" : "offline";
    // Only a change is written: it is a live region.
    if (this.#connection.textContent !== words) this.#connection.textContent = words;
  }

  #showProblem(words: string | null): void {
    if (words === (this.#banner.firstElementChild?.textContent ?? null)) return;
    if (words === null) return this.#banner.replaceChildren();
    const dismiss = button("close", texts.dismiss);
    dismiss.addEventListener("click", () => this.#chat.show(null));
    this.#banner.replaceChildren(h("span", { "data-test": "error" }, words), dismiss);
  }

  #announce(text: string): void {
    // The same words once more are a change only with something that is not heard.
    if (this.#spoken.textContent === text) text += "\u00a0";
    this.#spoken.textContent = text.length > SPOKEN_MAX ? `${text.slice(0, SPOKEN_MAX)}…` : text;
  }
}
