/**
 * The list of a signed-in reader's own conversations, laid over the thread, and the button in the bar that opens it.
 * Picking one opens it; Back and Escape lead back to where the reader was.
 */
import type { Chat } from "./chat";
import { dayName } from "./days";
import { button, h } from "./element";
import { sentence, texts } from "./texts";
import type { WireConversation } from "./wire";

export class Past {
  readonly opener = button("past", texts.conversations, { class: "new", "aria-expanded": "false", "data-test": "past" });
  readonly element = h("section", { class: "past", "aria-label": texts.conversations, "data-test": "conversations", hidden: "" });
  readonly #chat: Chat;
  /** What the list lies on: out of reach while it does. */
  readonly #under: HTMLElement;
  readonly #back = button("back", texts.back, { class: "close", "data-test": "back" });
  readonly #list = h("ul");
  readonly #none = h("p", { role: "status" });
  readonly #more = h("button", { type: "button", class: "earlier", "data-test": "more" });
  #last: string | null = null;
  /** Counts the openings: an answer to an earlier one is not for this list. */
  #opening = 0;

  constructor(chat: Chat, under: HTMLElement) {
    this.#chat = chat;
    this.#under = under;
    this.opener.append(h("span", {}, texts.conversations));
    this.element.append(h("header", {}, this.#back, h("h3", {}, texts.conversations)), this.#list, this.#none, this.#more);
    this.opener.addEventListener("click", () => (this.element.hidden ? this.#open() : this.close()));
    this.#back.addEventListener("click", () => this.#leave());
    this.#more.addEventListener("click", () => void this.#load());
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.#leave();
    });
  }

  /** Whoever is not signed in has no list. */
  show(): void {
    this.opener.hidden = !this.#chat.signedIn;
    if (this.opener.hidden) this.close();
  }

  close(): void {
    if (this.element.hidden) return;
    this.#under.inert = false;
    this.element.hidden = true;
    this.opener.setAttribute("aria-expanded", "false");
  }

  #open(): void {
    this.#opening++;
    this.#under.inert = true;
    this.element.hidden = false;
    this.opener.setAttribute("aria-expanded", "true");
    this.#list.replaceChildren();
    this.#last = null;
    this.#back.focus({ preventScroll: true });
    void this.#load();
  }

  #leave(): void {
    this.close();
    this.opener.focus({ preventScroll: true });
  }

  async #load(): Promise<void> {
    const opening = this.#opening;
    this.#none.hidden = this.#more.hidden = true;
    const page = await this.#chat.requests.conversations(this.#last);
    if (opening !== this.#opening) return;
    const found = page.ok ? page.conversations : [];
    const entries = found.map((one) => this.#entry(one));
    this.#list.append(...entries);
    this.#last = found.at(-1)?.conversation_uuid ?? this.#last;
    this.#none.textContent = page.ok ? texts.noConversations : sentence(page.error);
    this.#none.hidden = page.ok && this.#list.childElementCount > 0;
    this.#more.hidden = page.ok && !page.more;
    this.#more.textContent = page.ok ? texts.more : texts.tryAgain;
    // Whoever asked for more goes on with the first of them: the button may be gone.
    if (this.element.contains((this.element.getRootNode() as ShadowRoot).activeElement)) return;
    if (!this.element.hidden) (entries[0]?.querySelector("button") ?? this.#back).focus();
  }

  #entry({ conversation_uuid: id, title, at }: WireConversation): HTMLElement {
    const entry = h("button", { type: "button", "data-test": "entry" }, h("span", { dir: "auto" }, title), h("time", { datetime: at }, dayName(at)));
    if (id === this.#chat.conversation.id) entry.setAttribute("aria-current", "true");
    entry.addEventListener("click", () => {
      this.close();
      this.#chat.openConversation(id);
      this.#under.focus({ preventScroll: true });
    });
    return h("li", {}, entry);
  }
}
