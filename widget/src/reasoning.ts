/**
 * What the model thought before it answered: folded, plain text, and made only when somebody opens it.
 * It stands beside the answer and not in it, so that it is neither copied nor read out with it.
 */
import { h } from "./element";
import { fill, texts } from "./texts";
import type { Reasoning } from "./wire";

export class ReasoningView {
  readonly element = h("details", { class: "reasoning", "data-test": "reasoning" });
  readonly #summary = h("summary");
  // Reachable by keyboard, because it scrolls.
  readonly #thoughts = h("div", { class: "thoughts", tabindex: "0", role: "group", "data-test": "thoughts" });
  #text = "";

  constructor() {
    this.element.append(this.#summary, this.#thoughts);
    // Here and not by the browser, so that whoever hears of the click finds it done.
    this.#summary.addEventListener("click", (event) => {
      event.preventDefault();
      this.element.open = !this.element.open;
      this.#fill();
    });
    this.element.addEventListener("toggle", () => this.#fill());
  }

  show({ text, seconds }: Reasoning): void {
    const words = thoughtFor(seconds);
    if (this.#summary.textContent !== words) this.#summary.textContent = words;
    this.#thoughts.setAttribute("aria-label", words);
    this.#text = text.trim();
    this.#fill();
  }

  /** Closed it is empty: a long one would be laid out for nobody. */
  #fill(): void {
    const text = this.element.open ? this.#text : "";
    if (this.#thoughts.textContent !== text) this.#thoughts.textContent = text;
  }
}

/** "Thought for 1 min 5 s". */
export function thoughtFor(seconds: number): string {
  // No number at all is a moment too.
  if (!(seconds >= 1)) return texts.moment;
  const whole = Math.round(seconds);
  const [minutes, rest] = [Math.floor(whole / 60), whole % 60];
  return fill(texts.thought, [minutes && fill(texts.minutes, minutes), rest && fill(texts.seconds, rest)].filter(Boolean).join(" "));
}
