/**
 * The widget's style sheet, constructed in script, so that a page needs no "unsafe-inline" for it.
 * The rules are in widget.css, which the build puts in here as text.
 */
import type { Options } from "./options";
import css from "./widget.css";

/** `accents`: what palettes() made for light and for dark. */
export function sheet(theme: Options["theme"], accents: readonly [string, string] | null): CSSStyleSheet {
  const made = new CSSStyleSheet();
  let text = css;
  if (accents) text += `:host{${accents[0]}}@media (prefers-color-scheme:dark){:host{${accents[1]}}}`;
  // A theme of its own: what asks for the system's then always or never holds.
  if (theme !== "auto") {
    text = text.replace(/ *\(prefers-color-scheme: *dark\)/g, theme === "dark" ? " all" : " not all");
    text += `:host{color-scheme:${theme}!important}`;
  }
  made.replaceSync(text);
  return made;
}
