/**
 * Where the reader writes: a text field that grows, and the button that sends or stops.
 * Enter sends, Shift+Enter breaks the line; a text that is too long is not sent and not lost.
 */
import { button, h } from "./element";
import { fill, texts } from "./texts";

/** From this share of the limit on it says how much is left. */
const NEARLY_FULL = 0.8;
const MAX_HEIGHT = 180;

export interface ComposerActions {
  /** Returns false when the text was not taken and has to stay. */
  send(text: string): boolean;
  stop(): void;
}

export class Composer {
  readonly element = h("form", { class: "composer" });
  readonly input = h("textarea", {
    "data-test": "input",
    rows: "1",
    dir: "auto",
    "aria-label": texts.input,
    placeholder: texts.placeholder,
    enterkeyhint: "send",
    autocomplete: "off",
  });
  readonly #send = button("send", texts.send, { class: "send", type: "submit", "data-test": "send" });
  readonly #stop = button("stop", texts.stop, { class: "stop", "data-test": "stop", hidden: "" });
  readonly #left = h("span", { class: "left", hidden: "" });
  readonly #actions: ComposerActions;
  #max = Infinity;
  #running = false;

  constructor(actions: ComposerActions) {
    this.#actions = actions;
    this.element.append(h("div", { class: "field" }, this.input, this.#left, this.#stop, this.#send));
    this.element.addEventListener("submit", (event) => this.#onSubmit(event));
    this.input.addEventListener("keydown", (event) => this.#onKey(event));
    this.input.addEventListener("input", () => this.#onInput());
    this.#stop.addEventListener("click", () => {
      this.#actions.stop();
      // A button that is disabled, then gone, cannot keep the focus.
      this.input.focus({ preventScroll: true });
    });
    this.#onInput();
  }

  /** `running`: an answer is under way; the stop button takes the place of the send button. */
  show(running: boolean, stopping: boolean, online: boolean, maxText: number): void {
    this.#running = running;
    this.#max = maxText;
    this.#stop.disabled = stopping || !online;
    this.#arrange();
    // The button under the reader's focus may just have gone: keep them in the form.
    const active = (this.element.getRootNode() as ShadowRoot).activeElement as HTMLElement | null;
    if (active?.hidden) this.input.focus({ preventScroll: true });
  }

  /** Puts a text into the field, as if it had been written. */
  write(text: string): void {
    this.input.value = text;
    this.#onInput();
  }

  #onSubmit(event: Event): void {
    event.preventDefault();
    const text = this.input.value.trim();
    if (!text || !this.#actions.send(text)) return;
    this.write("");
    this.input.focus({ preventScroll: true });
  }

  #onKey(event: KeyboardEvent): void {
    // An Enter that ends the composition of a word (Japanese, Chinese …) is not ours.
    if (event.key !== "Enter" || event.shiftKey || composes(event)) return;
    event.preventDefault();
    this.element.requestSubmit();
  }

  #onInput(): void {
    const length = charactersOf(this.input.value);
    this.#left.hidden = length < this.#max * NEARLY_FULL;
    this.#left.textContent = this.#left.hidden ? "" : fill(length > this.#max ? texts.over : texts.left, Math.abs(this.#max - length));
    this.#left.classList.toggle("over", length > this.#max);
    this.#fit();
    this.#arrange();
  }

  /** As tall as its text. Meanwhile its place stays, or the thread above would have room for a moment, and scroll. */
  #fit(): void {
    const { element, input } = this;
    element.style.minHeight = `${element.offsetHeight}px`;
    input.style.height = "auto";
    if (input.scrollHeight) input.style.height = `${Math.min(input.scrollHeight, MAX_HEIGHT)}px`;
    element.style.minHeight = "";
  }

  /** Stop stands alone while an answer runs, unless there is a text that could be sent into the queue. */
  #arrange(): void {
    const text = this.input.value.trim() !== "";
    this.#stop.hidden = !this.#running;
    this.#send.hidden = this.#running && !text;
    this.#send.disabled = !text;
  }
}

/** Safari ends the composition before the key that ended it comes, and leaves only this number to know it by. */
export function composes(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229;
}

/** Characters as the server counts them: code points, not UTF-16 units. */
export function charactersOf(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
