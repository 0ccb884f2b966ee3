/**
 * A site's colour, made readable: from one accent the colours of links, buttons and bubbles on light and on dark
 * paper, each with a contrast of at least 4.5 : 1 to what stands on it or behind it (WCAG 2, relative luminance).
 */
type Colour = readonly number[];

const WHITE: Colour = [255, 255, 255];
const BLACK: Colour = [0, 0, 0];
/** Of widget.css: --paper and --raised, and how much of the accent is in --tint. */
const LIGHT = { paper: WHITE, raised: [245, 246, 244], ink: BLACK, tint: 0.1 };
const DARK = { paper: [21, 25, 26], raised: [31, 37, 38], ink: WHITE, tint: 0.18 };
const READABLE = 4.5;
/** Enough for a button to be seen on paper of nearly its own colour; what stands on it is readable anyway. */
const VISIBLE = 1.2;

/** Red, green and blue (0 to 255) of any CSS colour, `var(…)` of the page included; null if it is none. */
export function resolve(value: string, within: ParentNode): Colour | null {
  const probe = document.createElement("i");
  const { style } = probe;
  style.color = value;
  if (!style.color) return null;
  within.append(probe);
  const computed = getComputedStyle(probe);
  const scale = computed.color.startsWith("rgb") ? 1 : 255;
  // Of another colour space: the same in sRGB, from 0 to 1.
  if (scale > 1) style.color = `color-mix(in srgb,${value},${value})`;
  const parts = computed.color.match(/[\d.]+(e-\d+)?/g) ?? [];
  probe.remove();
  return parts.slice(0, 3).map((part) => Math.min(255, Number(part) * scale));
}

/** Custom properties for :host, light first, then dark. */
export function palettes(accent: Colour): [string, string] {
  return [palette(accent, LIGHT), palette(accent, DARK)];
}

function palette(colour: Colour, { paper, raised, ink, tint: share }: typeof LIGHT): string {
  const tint = mix(paper, colour, share);
  const accent = towards(ink, colour, (tried) => Math.min(contrast(tried, raised), contrast(tried, tint)) >= READABLE);
  const fill = towards(ink, colour, (tried) => contrast(tried, paper) >= VISIBLE);
  const onFill = contrast(fill, WHITE) >= READABLE ? WHITE : contrast(fill, BLACK) >= READABLE ? BLACK : WHITE;
  const values = { accent, "accent-strong": mix(accent, ink, 0.25), "on-accent": ink === WHITE ? BLACK : WHITE, tint, bubble: fill, "on-bubble": onFill, fill, "on-fill": onFill };
  return Object.entries(values).map(([name, value]) => `--${name}:rgb(${value.map(Math.round).join()});`).join("");
}

function towards(end: Colour, colour: Colour, enough: (tried: Colour) => boolean): Colour {
  let tried = colour;
  for (let share = 0; share <= 1 && !enough((tried = mix(colour, end, share))); share += 0.04);
  return tried;
}

function mix(from: Colour, to: Colour, share: number): Colour {
  return from.map((part, index) => part + (to[index]! - part) * share);
}

export function contrast(one: Colour, other: Colour): number {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

function luminance(colour: Colour): number {
  const [red, green, blue] = colour.map((part) => (part <= 10 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return red! * 0.2126 + green! * 0.7152 + blue! * 0.0722;
}
