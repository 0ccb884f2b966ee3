/** Answers on a page with all the time in the world, where every step is done at once; and what is wrong with one. */
import type { AnswerView } from "../src/answer";
import type { Citation } from "../src/wire";

export function stream(view: AnswerView, text: string): void {
  view.stream(text);
  while (view.advance());
}

export function finish(view: AnswerView, text: string, citations: readonly Citation[] = []): void {
  view.finish(text, citations);
  while (view.advance());
}

const ELEMENTS = new Set(
  ("div p br hr h1 h2 h3 h4 h5 h6 strong em del code pre blockquote ul ol li table thead tbody tr th td a " +
    // Ours: frames, copy buttons with their icon.
    // Columns of long tables.
    "span button svg path colgroup col").split(" "),
);

/** What an element may carry: from the text, or from us where the value cannot come from the text. */
const ATTRIBUTES: Record<string, readonly string[]> = {
  a: ["href", "target", "rel"],
  ol: ["start"],
  th: ["align"],
  td: ["align"],
  div: ["class", "dir", "tabindex", "role", "aria-label"],
  ...Object.fromEntries(["h1", "h2", "h3", "h4", "h5", "h6"].map((name) => [name, ["aria-level"]])),
  pre: ["tabindex", "dir"],
  span: ["class"],
  button: ["class", "type", "aria-label"],
  svg: ["viewBox", "aria-hidden", "class"],
  path: ["d"],
  // Widths as we measured them.
  table: ["style"],
  col: ["style"],
  // Without a mark.
  li: ["style"],
};

/** Elements, attributes and addresses that no answer may have. */
export function faults(root: Element): string[] {
  const found: string[] = [];
  for (const element of root.querySelectorAll("*")) {
    if (!ELEMENTS.has(element.localName)) found.push(`<${element.localName}>`);
    for (const { name, value } of element.attributes) {
      if (!ATTRIBUTES[element.localName]?.includes(name)) found.push(`${element.localName}[${name}=${value}]`);
      if (name === "href" && !/^(https?:\/\/|mailto:)/i.test(value)) found.push(`href ${value}`);
    }
    if (element.localName === "a" && element.hasAttribute("href")) {
      if (element.getAttribute("rel") !== "noopener noreferrer" || element.getAttribute("target") !== "_blank") found.push("link");
    }
    if (element.classList.length > 1 && !element.closest("svg")) found.push(`class ${element.className}`);
  }
  return found;
}
