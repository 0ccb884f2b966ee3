import { afterEach, describe, expect, it, vi } from "vitest";
import { contrast, palettes, resolve } from "../src/colours";

const PAPER = { light: [[255, 255, 255], [245, 246, 244]], dark: [[21, 25, 26], [31, 37, 38]] };

type Palette = Record<string, number[]>;

function read(text: string): Palette {
  const found = text.matchAll(/--([\w-]+):rgb\((\d+),(\d+),(\d+)\);/g);
  return Object.fromEntries([...found].map(([, name, ...parts]) => [name!, parts.map(Number)]));
}

/** All corners and edges of the cube of colours, and a good part of what is inside. */
const COLOURS = [0, 51, 102, 153, 204, 255].flatMap((red, _, steps) =>
  steps.flatMap((green) => steps.map((blue) => [red, green, blue])),
);

afterEach(() => vi.restoreAllMocks());

describe("an accent", () => {
  it("measures contrast as WCAG does", () => {
    expect(contrast([0, 0, 0], [255, 255, 255])).toBeCloseTo(21, 5);
    expect(contrast([119, 119, 119], [255, 255, 255])).toBeCloseTo(4.48, 2);
    expect(contrast([255, 0, 0], [255, 0, 0])).toBe(1);
  });

  it("of any colour gives readable links, buttons and bubbles on light and on dark paper", () => {
    for (const colour of COLOURS) {
      for (const [index, grounds] of [PAPER.light, PAPER.dark].entries()) {
        const made = read(palettes(colour)[index]!);
        const pairs = [
          ...[...grounds, made["tint"]!].map((ground) => [made["accent"]!, ground]),
          ...[...grounds, made["tint"]!].map((ground) => [made["accent-strong"]!, ground]),
          [made["on-accent"]!, made["accent"]!],
          [made["on-bubble"]!, made["bubble"]!],
          [made["on-fill"]!, made["fill"]!],
        ];
        // Rounded to whole numbers, so a hair less may be left of it.
        for (const [one, other] of pairs) expect(contrast(one!, other!), `${colour} ${index}: ${one} on ${other}`).toBeGreaterThan(4.45);
      }
    }
  });

  it("stays the site's own colour where something stands on it", () => {
    const [light, dark] = palettes([255, 165, 0]).map(read);
    expect([light!["fill"], light!["bubble"], light!["on-fill"]]).toEqual([[255, 165, 0], [255, 165, 0], [0, 0, 0]]);
    expect(dark!["fill"]).toEqual([255, 165, 0]);
  });

  it("that is the paper's colour is still to be seen", () => {
    expect(contrast(read(palettes([255, 255, 255])[0])["fill"]!, [255, 255, 255])).toBeGreaterThan(1.19);
    expect(contrast(read(palettes([21, 25, 26])[1])["fill"]!, [21, 25, 26])).toBeGreaterThan(1.19);
  });

  it("may be written as CSS writes colours, and is none otherwise", () => {
    expect(resolve("rgb(29, 107, 87)", document.body)).toEqual([29, 107, 87]);
    expect(resolve("#1d6b57", document.body)).toEqual([29, 107, 87]);
    for (const wrong of ["", "greenish", "#12", "red; --x: 1", "url(x)"]) expect(resolve(wrong, document.body)).toBeNull();
    expect(document.body.childElementCount).toBe(0);
  });

  it("is read from colours of newer kinds as well", () => {
    vi.spyOn(window, "getComputedStyle").mockReturnValue({ color: "color(srgb 0.5 1 9.5e-7)" } as CSSStyleDeclaration);
    const [red, green, blue] = resolve("red", document.body)!;
    expect([red, green]).toEqual([127.5, 255]);
    expect(blue).toBeCloseTo(0, 3);
  });
});
