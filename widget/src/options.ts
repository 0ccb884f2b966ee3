/**
 * What the script tag says besides its address: `data-*`, checked once (the table is in widget/README.md).
 * A value that is not understood is said in the console and left out: the chat works with any of them wrong.
 */
import { LANGUAGES } from "./texts";

export interface Options {
  title?: string | undefined;
  greeting?: string | undefined;
  intro?: string | undefined;
  /** Offered in an empty conversation; a click sends one. */
  prompts: string[];
  /** Any CSS colour; checked where it is used, because only the browser knows. */
  accent?: string | undefined;
  theme: "auto" | "light" | "dark";
  position?: "right" | "left" | undefined;
  language?: string | undefined;
  open: boolean;
  target?: string | undefined;
  userToken: string | null;
  /** How much of the page's address goes with a message. */
  page: "path" | "full" | "off";
}

export function warn(sentence: string): void {
  console.warn(`assistant-chat: ${sentence}`);
}

export function readOptions({ title, greeting, intro, prompts = "", accent, theme, position, language, open, target, userToken, page }: DOMStringMap): Options {
  const opening = oneOf("open", open, "", "true", "false");
  if (language) oneOf("language", language.split("-")[0]!.toLowerCase(), ...LANGUAGES);
  return {
    title, greeting, intro, accent, language, target,
    prompts: prompts.split("|").map((prompt) => prompt.trim()).filter(Boolean),
    theme: oneOf("theme", theme, "auto", "light", "dark") ?? "auto",
    position: oneOf("position", position, "right", "left"),
    open: opening === "" || opening === "true",
    userToken: userToken || null,
    page: oneOf("page", page, "path", "full", "off") ?? "path",
  };
}

function oneOf<T extends string>(name: string, value: string | undefined, ...allowed: T[]): T | undefined {
  const found = allowed.find((one) => one === value);
  if (found === undefined && value !== undefined) warn(`data-${name}="${value}" is none of ${allowed.filter(Boolean).join(", ")}`);
  return found;
}
