/**
 * HTML made from Markdown -> nodes that can do nothing: the only door from text to HTML in the widget.
 * Markdown is rendered with raw HTML escaped already (markdown.ts); this is the second, independent wall.
 * Where Trusted Types are required, DOMPurify works with our own policy, so a site allows one name: assistant-chat.
 */
import createPurifier, { type Config } from "dompurify";

const POLICY = "assistant-chat";
const LINKS = new Set(["http:", "https:", "mailto:"]);

interface Policy {
  createHTML(html: string): unknown;
  createScriptURL(url: string): unknown;
}

const config: Config = {
  ALLOWED_TAGS: [
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "del", "code", "pre", "blockquote",
    "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "a", "#text",
  ],
  ALLOWED_ATTR: ["href", "align", "start", "class"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  // Not addresses, so not to be measured by the expression for addresses.
  ADD_URI_SAFE_ATTR: ["align", "start"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOW_UNKNOWN_PROTOCOLS: false,
  RETURN_DOM_FRAGMENT: true,
};

/** Absolute http, https and mailto addresses; everything else (also relative ones) is none of the text's business. */
export function safeLink(href: string | null | undefined): string | null {
  if (!href) return null;
  try {
    return LINKS.has(new URL(href).protocol) ? href : null;
  } catch {
    return null;
  }
}

/** Made at the first need: a page that has the script twice must not create the policy twice. */
let purifier: typeof createPurifier | null | undefined;

/** Null where the host page's CSP does not allow our policy: then the text is shown as it is. */
export function sanitised(html: string): DocumentFragment | null {
  if (purifier === undefined) purifier = prepare();
  return purifier ? (purifier.sanitize(html, config) as unknown as DocumentFragment) : null;
}

function prepare(): typeof createPurifier | null {
  const types = (window as { trustedTypes?: { createPolicy(name: string, rules: Policy): unknown } }).trustedTypes;
  if (types) {
    try {
      // The policy hands its HTML to DOMPurify's inert parser only; it is never given away.
      const policy = types.createPolicy(POLICY, { createHTML: (html) => html, createScriptURL: () => "" });
      config.TRUSTED_TYPES_POLICY = policy as NonNullable<Config["TRUSTED_TYPES_POLICY"]>;
    } catch {
      return null;
    }
  }
  const purify = createPurifier(window);
  purify.addHook("afterSanitizeAttributes", tame);
  return purify;
}

function tame(node: Element): void {
  if (node.hasAttribute("class") && !/^language-[\w+#.-]{1,40}$/.test(node.className)) node.removeAttribute("class");
  if (node.localName !== "a") return;
  if (!safeLink(node.getAttribute("href"))) return node.removeAttribute("href");
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer");
}
