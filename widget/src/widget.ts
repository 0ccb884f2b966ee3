/** One chat on a page: the chat, its view and its styles, put into an element and taken out again. */
import type { Events, Tell } from "./api";
import { Chat } from "./chat";
import { palettes, resolve } from "./colours";
import { Connection } from "./connection";
import { Drawer } from "./drawer";
import { Herald } from "./herald";
import { type Options, warn } from "./options";
import { onPhone } from "./popup";
import { sheet } from "./styles";
import { surroundings } from "./surroundings";
import { language, speak, texts } from "./texts";
import { TicketBox } from "./ticket";
import { subjectOf, suffixOf } from "./usertoken";
import { View } from "./view";

export class Widget {
  view: View | null = null;
  readonly #base: URL;
  readonly #options: Options;
  readonly #tell: Tell;
  readonly #openKey: string;
  #chat: Chat | null = null;
  #userToken: string | null;
  #wasOpen: boolean | null = null;
  /** Written and not sent: a router that moves the element, or a site that is late to say who is there, loses nothing. */
  #draft = "";
  #unwatch = (): void => undefined;

  /** `base` is the server's address. */
  constructor(base: URL, options: Options, tell: Tell) {
    this.#base = base;
    this.#options = options;
    this.#tell = tell;
    this.#openKey = `assistant-chat:${base.href}:open`;
    this.#userToken = options.userToken;
  }

  begin(element: HTMLElement, floating: boolean): void {
    const shadow = element.shadowRoot ?? element.attachShadow({ mode: "open" });
    this.#dress(element, shadow);
    const { position, title, prompts, page } = this.#options;
    const place = this.#base.href + suffixOf(this.#userToken);
    const tickets = new TicketBox(place);
    const chat = new Chat(tickets, new Drawer(place), (hearer) => new Connection(this.#base, hearer), texts);
    chat.userToken = this.#userToken;
    chat.context = () => surroundings(page);
    const tell: Tell = (event, detail) => this.#told(event, detail);
    const side = position ?? (language.dir === "rtl" ? "left" : "right");
    const view = new View(chat, floating, { prompts, tell, look: `${floating ? `on-${side}` : ""}${title ? " titled" : ""}` });
    const herald = new Herald(tell);
    chat.onChange = () => {
      view.changed();
      herald.changed(chat);
    };
    this.#unwatch = tickets.watch(() => {
      this.#connect();
      chat.follow();
    });
    shadow.replaceChildren(view.root);
    this.#chat = chat;
    this.view = view;
    // Measuring an empty field would have the page laid out before its time.
    if (this.#draft) view.composer.write(this.#draft);
    if (floating && this.#opensItself()) view.popUp.open(false);
    if (!floating || chat.used) this.#connect();
  }

  end(): void {
    if (!this.#chat) return;
    this.#unwatch();
    this.#draft = this.view?.composer.input.value ?? "";
    this.#chat.onChange = () => undefined;
    this.#chat.close();
    this.view?.destroy();
    this.view = this.#chat = null;
  }

  /** Returns whether the page needs another chat: another user's, with nothing of the one before. */
  identify(userToken: string | null): boolean {
    const another = subjectOf(userToken) !== subjectOf(this.#userToken);
    // One user's words are not put into another's mouth.
    if (another && this.#userToken) this.view?.composer.write((this.#draft = ""));
    this.#userToken = userToken;
    if (!another) this.#chat?.signIn(userToken);
    return another;
  }

  /** Somebody wants the chat, or had one before. Most visitors of a site are neither. */
  #connect(): void {
    this.#chat?.begin();
    this.view?.connecting();
  }

  #dress(element: HTMLElement, shadow: ShadowRoot): void {
    const { accent, theme, title, greeting, intro, language: wanted } = this.#options;
    const colour = accent ? resolve(accent, shadow) : null;
    if (accent && !colour) warn(`data-accent="${accent}" is no CSS colour`);
    shadow.adoptedStyleSheets = [sheet(theme, colour && palettes(colour))];
    speak([wanted, document.documentElement.lang, ...navigator.languages]);
    element.lang = language.tag;
    element.dir = language.dir;
    if (title) texts.title = title;
    if (greeting) texts.greeting = greeting;
    if (intro) texts.introduction = intro;
  }

  #told<E extends keyof Events>(event: E, detail: Events[E]): void {
    if (event === "answer") this.view?.popUp.answered();
    if (event === "error" && (detail as Events["error"]).code === "unreachable" && this.#base.origin !== location.origin) {
      warn(`${this.#base.origin} cannot be reached. Is ${location.origin} in its CORS_ALLOWED_ORIGINS? Its log says so`);
    }
    if (event === "open") this.#connect();
    if (event === "open" || event === "close") this.#keepOpen(event === "open");
    this.#tell(event, detail);
  }

  /** As the visitor left it in this tab, else as the page wants it. */
  #opensItself(): boolean {
    let kept: string | null = null;
    try {
      kept = sessionStorage.getItem(this.#openKey);
    } catch {
      // Forbidden storage.
    }
    return this.#wasOpen ?? (kept ? kept === "1" : this.#options.open && !onPhone());
  }

  #keepOpen(open: boolean): void {
    this.#wasOpen = open;
    try {
      sessionStorage.setItem(this.#openKey, open ? "1" : "0");
    } catch {
      // Private mode or a full store: it lasts as long as the page.
    }
  }
}
