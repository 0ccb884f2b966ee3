/** The build empties DOMPurify's lists of names (unused.mjs). These tests see the same file, and compare. */
// @ts-expect-error -- The whole one, as it comes; its types are those of the other.
import createFull from "dompurify/dist/purify.js";
import createPurifier, { type Config } from "dompurify";
import { describe, expect, it } from "vitest";
import { ATTACKS } from "./attacks";

const config: Config = {
  ALLOWED_TAGS: ["p", "a", "strong", "em", "code", "pre", "table", "tr", "td", "ul", "li", "#text"],
  ALLOWED_ATTR: ["href", "class"],
};

const NAMESPACES = [
  "<svg><a href='https://a.example'>x</a><p>y</p></svg>",
  "<math><mtext><p>x</p><mglyph><svg><a href='https://a.example'>y</a></svg></mglyph></mtext></math>",
  "<svg></p><style><a class='</style><img src=1 onerror=1>'></style></svg>",
  "<math><annotation-xml encoding='text/html'><p>x</p></annotation-xml></math>",
  "<form><math><mtext></form><form><mglyph><style></math><img src onerror=1>",
  "<svg><foreignObject><p>x</p><strong>y</strong></foreignObject></svg>",
];

describe("the sanitiser without its lists", () => {
  const small = createPurifier(window);

  it("is the one that these tests see", () => {
    expect(small.sanitize("<b>x</b>")).toBe("x");
    expect(createFull(window).sanitize("<b>x</b>")).toBe("<b>x</b>");
  });

  it.each([...ATTACKS, ...NAMESPACES].map((html) => [html]))("lets through what the whole one does: %s", (html) => {
    expect(small.sanitize(html, config)).toBe(createFull(window).sanitize(html, config));
  });
});
