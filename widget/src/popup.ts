/**
 * The pop-up: its round button with the count of unread answers, opening and closing, and on a phone the whole screen.
 * Of a chat inside the page it only counts what ended while the tab was hidden.
 */
import type { Tell } from "./api";
import { composes } from "./composer";
import { button, h, icon } from "./element";
import { fill, texts } from "./texts";

/** Where the pop-up is the whole screen; the same stands in widget.css. */
const PHONE = "(max-width: 480px), (max-height: 420px)";
const STOPS = "button:enabled, textarea, input, a[href], summary, [tabindex='0']";
const NO_KEYBOARD = { offsetTop: 0, height: 0 };

/**
 * To the page, what is written here happens on an element that is no text field: its shortcuts ("/" to search) would
 * take the letters away. What is pressed with Ctrl, Alt or Cmd is still the page's as well.
 */
function keep(event: KeyboardEvent): void {
  const { target, ctrlKey, altKey, metaKey } = event;
  if ((target as Element).localName === "textarea" && !(ctrlKey || altKey || metaKey)) event.stopPropagation();
}

export function onPhone(): boolean {
  return window.matchMedia?.(PHONE).matches ?? false;
}

export class PopUp {
  readonly root: HTMLElement;
  readonly #floating: boolean;
  readonly #panel: HTMLElement;
  readonly #input: HTMLElement;
  readonly #tell: Tell;
  readonly #badge = h("span", { class: "badge", "data-test": "badge", hidden: "" });
  readonly #launcher = button("chat", texts.title, {
    class: "launcher", "aria-expanded": "false", "aria-controls": "panel", "data-test": "launcher",
  });
  #unread = 0;

  /** `look`: more classes of the frame. `signal` ends it. */
  constructor(panel: HTMLElement, input: HTMLElement, floating: boolean, look: string, tell: Tell, signal: AbortSignal) {
    this.#panel = panel;
    this.#input = input;
    this.#floating = panel.hidden = floating;
    this.#tell = tell;
    panel.id = "panel";
    this.root = h("div", { class: `root ${floating ? "floating" : "inline"} ${look}` }, panel);
    this.#launcher.append(icon("close"), this.#badge);
    for (const event of ["keydown", "keypress", "keyup"] as const) this.root.addEventListener(event, keep);
    document.addEventListener("visibilitychange", () => this.#seen(), { signal });
    if (floating) this.#listen(signal);
  }

  /** Of a chat inside the page there is nothing to open, but its text field gets the focus as well. */
  open(focus = true): void {
    if (this.#floating) this.#toggle(true);
    if (focus) this.#input.focus({ preventScroll: this.#floating });
  }

  /** The focus goes back to the button, unless the reader has it elsewhere on the page. */
  close(): void {
    if (!this.#floating) return;
    const inside = this.#panel.contains(this.#focused());
    this.#toggle(false);
    if (inside) this.#launcher.focus({ preventScroll: true });
  }

  /** Where whoever was in the chat goes on when another one takes its place. */
  takeFocus(): void {
    (this.#panel.hidden ? this.#launcher : this.#input).focus({ preventScroll: true });
  }

  /** An answer has ended: unread unless somebody is looking. */
  answered(): void {
    if (this.#panel.hidden || document.hidden) this.#count(this.#unread + 1);
  }

  #listen(signal: AbortSignal): void {
    this.root.append(this.#launcher);
    this.#launcher.addEventListener("click", () => (this.#panel.hidden ? this.open() : this.close()));
    this.root.addEventListener("keydown", (event) => this.#onKey(event));
    for (const event of ["resize", "scroll"]) window.visualViewport?.addEventListener(event, () => this.#fit(), { signal });
  }

  #onKey(event: KeyboardEvent): void {
    if (this.#panel.hidden || composes(event)) return;
    if (event.key === "Tab" && onPhone()) this.#stay(event);
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.close();
  }

  /** The page behind is not there for the keyboard either: after the last comes the first. */
  #stay(event: KeyboardEvent): void {
    const stops = [...this.#panel.querySelectorAll<HTMLElement>(STOPS)].filter((stop) => stop.getClientRects().length);
    if (this.#focused() !== stops.at(event.shiftKey ? 0 : -1)) return;
    event.preventDefault();
    stops.at(event.shiftKey ? -1 : 0)?.focus();
  }

  #focused(): Element | null {
    return (this.root.getRootNode() as ShadowRoot).activeElement;
  }

  #toggle(open: boolean): void {
    if (open !== this.#panel.hidden) return;
    this.#panel.hidden = !open;
    this.root.classList.toggle("open", open);
    this.#launcher.setAttribute("aria-expanded", String(open));
    this.#fit();
    this.#seen();
    this.#tell(open ? "open" : "close", {});
  }

  /** On a phone the panel is the screen, or what the keyboard leaves of it (which 100dvh does not know everywhere). */
  #fit(): void {
    const full = onPhone();
    this.#panel.setAttribute("aria-modal", String(full));
    const seen = window.visualViewport;
    // A reader who zooms in wants to see less of it, not all of it smaller.
    const { offsetTop, height } = full && seen && seen.scale < 1.01 ? seen : NO_KEYBOARD;
    this.#panel.style.top = height ? `${offsetTop}px` : "";
    this.#panel.style.height = height ? `${height}px` : "";
  }

  #seen(): void {
    if (!this.#panel.hidden && !document.hidden) this.#count(0);
  }

  #count(unread: number): void {
    if (unread === this.#unread) return;
    this.#unread = unread;
    this.#badge.hidden = !unread;
    this.#badge.textContent = String(unread);
    const label = unread ? `${texts.title}, ${fill(texts.unread, unread)}` : texts.title;
    this.#launcher.setAttribute("aria-label", (this.#launcher.title = label));
    this.#tell("unread", { count: unread });
  }
}
