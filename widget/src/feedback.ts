/**
 * What stands under a whole answer: the thumbs, the form for a comment that opens after one, and a copy button.
 * Enter sends, Shift+Enter breaks the line, Escape closes the form and nothing else. A refused comment is not lost.
 */
import { charactersOf, composes } from "./composer";
import { copied } from "./decoration";
import { button, h } from "./element";
import { fill, sentence, texts } from "./texts";
import type { Turn } from "./turn";
import type { Rating, WireError } from "./wire";

/** The server's limit for a comment, in code points. */
const MAX_COMMENT = 2_000;

/** Hands a rating over; what went wrong with it, or null. */
export type Rate = (turnId: string, rating: Rating, comment?: string) => Promise<WireError | null>;

export class Feedback {
  readonly element = h("div", { class: "feedback" });
  readonly #up = button("up", texts.good, { "data-test": "up" });
  readonly #down = button("down", texts.bad, { "data-test": "down" });
  readonly #copy = button("copy", texts.copy, { "data-test": "copy" });
  readonly #said = h("span", { class: "note", role: "status", "data-test": "said" });
  readonly #text = h("textarea", { rows: "2", dir: "auto", "aria-label": texts.comment, placeholder: texts.comment, "data-test": "comment" });
  readonly #send = button("send", texts.send, { class: "send", type: "submit" });
  readonly #form = h("form", { class: "field", hidden: "" });
  readonly #rate: Rate;
  #turn!: Turn;
  /** The rating that the form is about. */
  #rating: Rating = null;

  constructor(rate: Rate) {
    this.#rate = rate;
    const close = button("close", texts.dismiss, { class: "close" });
    this.#form.append(this.#text, close, this.#send);
    this.element.append(h("div", { class: "thumbs" }, this.#up, this.#down, this.#copy, this.#said), this.#form);
    this.#up.addEventListener("click", () => this.#press("up"));
    this.#down.addEventListener("click", () => this.#press("down"));
    this.#copy.addEventListener("click", () => void this.#onCopy());
    close.addEventListener("click", () => this.#close());
    this.#form.addEventListener("submit", (event) => void this.#submit(event));
    this.#form.addEventListener("keydown", (event) => this.#onKey(event));
  }

  show(turn: Turn): void {
    this.#turn = turn;
    this.#up.setAttribute("aria-pressed", String(turn.feedback === "up"));
    this.#down.setAttribute("aria-pressed", String(turn.feedback === "down"));
  }

  #press(rating: "up" | "down"): void {
    const given = this.#turn.feedback === rating ? null : rating;
    this.#rating = given;
    this.#say("");
    this.#form.hidden = given === null;
    void this.#rate(this.#turn.id, given);
    if (given === null) return;
    // A finger that only wanted a thumb should not get a keyboard over half of the page.
    if (matchMedia("(pointer: fine)").matches) this.#text.focus({ preventScroll: true });
    this.#form.scrollIntoView({ block: "nearest" });
  }

  #onKey(event: KeyboardEvent): void {
    if (composes(event)) return;
    const sends = event.key === "Enter" && !event.shiftKey && event.target === this.#text;
    if (!sends && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    if (sends) this.#form.requestSubmit();
    else this.#close();
  }

  async #submit(event: Event): Promise<void> {
    event.preventDefault();
    const comment = this.#text.value.trim();
    const length = charactersOf(comment);
    if (!length) return this.#close();
    if (length > MAX_COMMENT) return this.#say(fill(texts.tooLong, length, MAX_COMMENT), true);
    if (this.#send.disabled) return;
    this.#send.disabled = true;
    const error = await this.#rate(this.#turn.id, this.#rating, comment);
    this.#send.disabled = false;
    if (error) return this.#say(sentence(error), true);
    this.#text.value = "";
    this.#say(texts.thanks);
    this.#close();
  }

  /** Puts the form away; a reader who was in it goes back to the thumb that opened it. */
  #close(): void {
    const inside = this.#form.matches(":focus-within");
    this.#form.hidden = true;
    if (inside) (this.#rating === "up" ? this.#up : this.#down).focus({ preventScroll: true });
  }

  async #onCopy(): Promise<void> {
    this.#say((await copied(this.#turn.answer, this.#copy)) ? texts.copied : texts.notCopied);
  }

  #say(words: string, bad = false): void {
    this.#said.textContent = words;
    this.#said.classList.toggle("bad", bad);
  }
}
