/**
 * The widget's style sheet, constructed in script, so that a page needs no "unsafe-inline" for it.
 * The rules are in widget.css, which the build puts in here as text.
 */
import css from "./widget.css";

let made: CSSStyleSheet | null = null;

export function sheet(): CSSStyleSheet {
  if (!made) {
    made = new CSSStyleSheet();
    made.replaceSync(css);
  }
  return made;
}
