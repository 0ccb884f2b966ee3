/**
 * Every sentence that the widget says by itself, in the language of the page. The dictionaries are in texts/, one file
 * a language; `{0}` and `{1}` stand for what is filled in.
 */
import ar from "./texts/ar.json?lines";
import de from "./texts/de.json?lines";
import en from "./texts/en.json";
import es from "./texts/es.json?lines";
import fr from "./texts/fr.json?lines";
import type { WireError } from "./wire";

export type Texts = Record<keyof typeof en, string>;

const KEYS = Object.keys(en);
/** Texts in the order of the keys, a line each. */
const DICTIONARIES: Record<string, string> = { ar, de, en: Object.values(en).join("\n"), es, fr };
export const LANGUAGES = Object.keys(DICTIONARIES);
const RIGHT_TO_LEFT = new Set(["ar"]);

/** Errors that we can tell in the reader's language; of others the server's own English sentence is shown. */
const BY_CODE: Record<string, keyof Texts> = {
  bad_payload: "fault",
  bad_user_token: "notSignedIn",
  busy: "busy",
  context_too_long: "tooMuch",
  restarting: "restarting",
  assistant_busy: "assistantDown",
  assistant_empty: "nothing",
  assistant_misconfigured: "assistantDown",
  assistant_quota: "assistantDown",
  assistant_refused: "failed",
  deadline_exceeded: "failed",
  erased: "notYours",
  assistant_unavailable: "assistantDown",
  content_filtered: "filtered",
  internal: "fault",
  journal_unavailable: "fault",
  not_connected: "unanswered",
  not_yours: "notYours",
  unknown_conversation: "notYours",
  unknown_turn: "notYours",
};

/** What is said now. Filled by `speak` before anything is drawn. */
export const texts: Texts = { ...en };
/** Of the language that is spoken: its tag with region, and the way its lines run. */
export const language = { tag: "en", dir: "ltr" };

/** Speaks the first of `wanted` (tags such as "de-AT") for which there is a dictionary; else English. */
export function speak(wanted: readonly (string | null | undefined)[]): void {
  const tag = wanted.find((tag) => tag && LANGUAGES.includes(dictionaryOf(tag))) ?? "en";
  const lines = DICTIONARIES[dictionaryOf(tag)]!.split("\n");
  KEYS.forEach((key, index) => (texts[key as keyof Texts] = lines[index]!));
  language.tag = sound(tag);
  language.dir = RIGHT_TO_LEFT.has(dictionaryOf(tag)) ? "rtl" : "ltr";
}

export function fill(text: string, ...values: (string | number)[]): string {
  return text.replace(/\{(\d)\}/g, (_, index: string) => String(values[Number(index)]));
}

/** An error as a sentence. The server's own, which knows more, where the reader's language is its English. */
export function sentence({ code, message }: WireError): string {
  const ours = BY_CODE[code];
  return ours && dictionaryOf(language.tag) !== "en" ? texts[ours] : message;
}

/** The tag, or its language alone where no date can be written with it: pages have odd things in `lang`, such as "en-". */
function sound(tag: string): string {
  try {
    return Intl.getCanonicalLocales(tag)[0]!;
  } catch {
    return dictionaryOf(tag);
  }
}

function dictionaryOf(tag: string): string {
  return tag.split("-", 1)[0]!.toLowerCase();
}
