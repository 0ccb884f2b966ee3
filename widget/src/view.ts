/**
 * The widget's frame: bar, thread, banner, composer, and the round button of the floating form.
 * Draws the chat's state once a frame, however many pieces came in between.
 */
import type { Chat } from "./chat";
import { Composer, charactersOf } from "./composer";
import { openTurn } from "./conversation";
import { button, h, icon } from "./element";
import { fill, sentence, texts } from "./texts";
import { Thread } from "./thread";

const SPOKEN_MAX = 2_000;
/** So long without ever having been connected is not "Connecting…" any more. */
const PATIENCE_MS = 8_000;

export class View {
  readonly root: HTMLElement;
  readonly #chat: Chat;
  readonly #floating: boolean;
  readonly #thread: Thread;
  readonly #composer: Composer;
  readonly #launcher = button("chat", texts.title, { class: "launcher", "aria-expanded": "false", "data-test": "launcher" });
  readonly #connection = h("span", { class: "connection", role: "status", "data-test": "connection" });
  readonly #new = h("button", { type: "button", class: "new", "data-test": "new" }, icon("new"), h("span", {}, texts.newConversation));
  readonly #close = button("close", texts.close, { class: "close", "data-test": "close" });
  readonly #banner = h("div", { class: "banner", role: "alert" });
  readonly #spoken = h("div", { class: "unseen", "aria-live": "polite", "data-test": "announcer" });
  readonly #panel: HTMLElement;
  readonly #unlisten = new AbortController();
  readonly #patience = setTimeout(() => this.#despair(), PATIENCE_MS);
  #first: string = texts.connecting;
  #frame = 0;

  constructor(chat: Chat, floating: boolean) {
    this.#chat = chat;
    this.#floating = floating;
    this.#composer = new Composer({ send: (text) => this.#send(text), stop: () => chat.stop() });
    this.#thread = new Thread(
      {
        rate: (turnId, rating) => void chat.rate(turnId, rating),
        ask: (text) => void this.#send(text),
        sendAgain: (clientId) => chat.sendAgain(clientId),
        discard: (clientId) => chat.discard(clientId),
      },
      () => void chat.earlier(),
      (text) => this.#announce(text),
    );
    this.#panel = this.#assemble();
    this.root = h("div", { class: `root ${floating ? "floating" : "inline"}` }, this.#panel);
    this.#launcher.append(icon("close"));
    if (floating) this.root.append(this.#launcher);
    this.#listen();
    this.#draw();
  }

  /** Asks for a drawing in the next frame. */
  changed(): void {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  destroy(): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#patience);
    this.#unlisten.abort();
  }

  #assemble(): HTMLElement {
    const bar = h("header", { class: "bar" }, h("h2", { class: "title" }, texts.title), this.#connection, this.#new);
    if (this.#floating) bar.append(this.#close);
    const middle = h("div", { class: "middle" }, this.#thread.element, this.#thread.latest);
    const role = this.#floating ? "dialog" : "region";
    const panel = h("section", { class: "panel", role, "aria-label": texts.title }, bar, middle, this.#banner, this.#composer.element, this.#spoken);
    panel.hidden = this.#floating;
    return panel;
  }

  #despair(): void {
    this.#first = texts.unreachable;
    this.changed();
  }

  #listen(): void {
    const { signal } = this.#unlisten;
    for (const event of ["online", "offline"]) addEventListener(event, () => this.changed(), { signal });
    this.#launcher.addEventListener("click", () => this.#toggle(Boolean(this.#panel.hidden)));
    this.#close.addEventListener("click", () => this.#toggle(false));
    this.#new.addEventListener("click", () => void this.#startAnew());
    this.#panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.#floating || event.isComposing) return;
      event.stopPropagation();
      this.#toggle(false);
    });
  }

  #toggle(open: boolean): void {
    this.#panel.hidden = !open;
    this.root.classList.toggle("open", open);
    this.#launcher.setAttribute("aria-expanded", String(open));
    if (open) this.#thread.toLatest();
    (open ? this.#composer.input : this.#launcher).focus({ preventScroll: true });
  }

  #send(text: string): boolean {
    const max = this.#chat.conversation.limits.max_text;
    const length = charactersOf(text);
    if (length > max) {
      this.#chat.show({ code: "too_long", message: fill(texts.tooLong, length, max) });
      return false;
    }
    this.#thread.toLatest();
    this.#chat.send(text);
    return true;
  }

  async #startAnew(): Promise<void> {
    await this.#chat.startAnew();
    this.#composer.input.focus({ preventScroll: true });
  }

  #draw(): void {
    this.#frame = 0;
    const { conversation, online, problem } = this.#chat;
    const open = openTurn(conversation);
    this.#showConnection(online);
    this.#thread.show(this.#chat);
    this.#composer.show(open !== undefined, open?.stopping ?? false, online, conversation.limits.max_text);
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
    this.#spoken.textContent = text.length > SPOKEN_MAX ? `${text.slice(0, SPOKEN_MAX)}…` : text;
  }
}
