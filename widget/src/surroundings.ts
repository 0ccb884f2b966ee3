/**
 * Where the visitor is, as `context` of a message. What follows "#" never leaves the page, and what follows "?" only
 * if the site wants it: both may hold what is nobody's business.
 */
import type { Options } from "./options";

export function surroundings(page: Options["page"]): { page_url: string; page_title: string } | undefined {
  if (page === "off") return undefined;
  const { origin, pathname, search } = location;
  // Halves of characters make a message invalid.
  const page_title = document.title.replace(/[\0\p{Cs}]/gu, "");
  return { page_url: origin + pathname + (page === "full" ? search : ""), page_title };
}
