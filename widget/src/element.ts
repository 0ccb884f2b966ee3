/** Small elements and icons, built node by node: no HTML text, so nothing for Trusted Types to object to. */

const SVG = "http://www.w3.org/2000/svg";

/** Paths on a 24 × 24 grid, drawn as strokes. */
const ICONS = {
  send: "M12 19V5M5.5 11.5 12 5l6.5 6.5",
  stop: "M6.5 6.5h11v11h-11z",
  chat: "M5 5h14a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-7l-5 4v-4H5a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2z",
  close: "M6 6l12 12M18 6 6 18",
  new: "M12 5v14M5 12h14",
  back: "M11 6l-6 6 6 6M5 12h14",
  past: "M12 7.5V12l3 2m5-2a8 8 0 1 1-16 0 8 8 0 0 1 16 0z",
  copy: "M9 9h10v11H9zM5 15V4h10",
  up: "M7 11v9H4v-9zm0 0 4-7c1.5 0 2.5 1 2.5 2.5V10H19a1.6 1.6 0 0 1 1.6 2l-1.6 6.5a2 2 0 0 1-2 1.5H7",
  down: "M7 13V4H4v9zm0 0 4 7c1.5 0 2.5-1 2.5-2.5V14H19a1.6 1.6 0 0 0 1.6-2L19 5.5A2 2 0 0 0 17 4H7",
  latest: "M12 5v14M5.5 12.5 12 19l6.5-6.5",
} as const;

export type IconName = keyof typeof ICONS;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon icon-${name}`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

export function button(name: IconName, label: string, attributes: Record<string, string> = {}): HTMLButtonElement {
  return h("button", { type: "button", "aria-label": label, title: label, ...attributes }, icon(name));
}
