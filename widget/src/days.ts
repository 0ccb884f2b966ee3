/**
 * When something was said, in the reader's own time zone and words; and the lines between turns of different days.
 */
import { h } from "./element";
import { language } from "./texts";

/** Words for today and yesterday; farther back a date says more. */
const SPOKEN_DAYS = 1;
const DATE: Intl.DateTimeFormatOptions = { weekday: "long", day: "numeric", month: "long" };

/** Days since 1970 on the reader's calendar; NaN for no date. */
function dayOf(at: string | number): number {
  const date = new Date(at);
  return Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / 864e5;
}

/** "Today", "Yesterday" or the date; of another year with the year. */
export function dayName(at: string, now = Date.now()): string {
  const date = new Date(at);
  const ago = dayOf(now) - dayOf(at);
  if (Number.isNaN(ago)) return "";
  if (Math.abs(ago) <= SPOKEN_DAYS) return new Intl.RelativeTimeFormat(language.tag, { numeric: "auto" }).format(-ago, "day");
  const year = date.getFullYear() === new Date(now).getFullYear() ? {} : ({ year: "numeric" } as const);
  return date.toLocaleDateString(language.tag, { ...DATE, ...year });
}

/** A moment as <time>: the hour, and all of it in the title. */
export function showTime(element: HTMLTimeElement, at: string): void {
  const date = new Date(at);
  element.hidden = Number.isNaN(date.getTime());
  if (element.hidden || element.dateTime === at) return;
  element.dateTime = at;
  element.title = date.toLocaleString(language.tag);
  element.textContent = date.toLocaleTimeString(language.tag, { timeStyle: "short" });
}

export class Days {
  /** Each line by the turn that it stands before. */
  readonly #lines = new WeakMap<HTMLElement, HTMLElement>();

  /** The turns with a line before each that begins a new day; none while all are of today. `at`: when each was said. */
  between(turns: readonly HTMLElement[], at: readonly string[], now = Date.now()): HTMLElement[] {
    let last = -Infinity;
    return turns.flatMap((turn, index) => {
      const day = dayOf(at[index]!);
      const begins = day > last && (index > 0 || day !== dayOf(now));
      // A clock that went back must not go through the days again; a turn without a date belongs where it is.
      last = Math.max(last, day || last);
      return begins ? [this.#line(turn, dayName(at[index]!, now)), turn] : [turn];
    });
  }

  #line(turn: HTMLElement, name: string): HTMLElement {
    const line = this.#lines.get(turn) ?? h("div", { class: "day", role: "separator" }, h("span"));
    this.#lines.set(turn, line);
    if (line.textContent !== name) line.firstElementChild!.textContent = name;
    line.setAttribute("aria-label", name);
    return line;
  }
}
