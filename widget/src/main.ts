/**
 * The script tag's side: where the server is, where to show the chat, and the element that holds it.
 *
 *   <script src="https://chat.example.com/static/chat-widget.js" defer></script>            a round button
 *   <script src="…/static/chat-widget.js" data-target="#chat" defer></script>               inside #chat
 */
import { Chat } from "./chat";
import { Connection } from "./connection";
import { Drawer } from "./drawer";
import { sheet } from "./styles";
import { language, speak, texts } from "./texts";
import { TicketBox } from "./ticket";
import { View } from "./view";

const TAG = "assistant-chat";

// Known only while the script runs for the first time.
const script = document.currentScript as HTMLScriptElement | null;

/** The server's address: the script's own, up to its static folder. */
const base = new URL("../", script?.src || new URL("static/", location.href));

class AssistantChat extends HTMLElement {
  floating = false;
  #end: (() => void) | null = null;

  connectedCallback(): void {
    const shadow = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    shadow.adoptedStyleSheets = [sheet()];
    speak([script?.dataset["language"], document.documentElement.lang, ...navigator.languages]);
    this.lang = language.tag;
    this.dir = language.dir;
    const tickets = new TicketBox(base.href);
    const chat = new Chat(tickets, new Drawer(base.href), (hearer) => new Connection(base, hearer), texts);
    const view = new View(chat, this.floating);
    chat.onChange = () => view.changed();
    const unwatch = tickets.watch(() => chat.follow());
    shadow.replaceChildren(view.root);
    this.#end = () => {
      unwatch();
      chat.close();
      view.destroy();
    };
  }

  disconnectedCallback(): void {
    this.#end?.();
    this.#end = null;
  }
}

function place(): void {
  const element = document.createElement(TAG) as AssistantChat;
  const target = script?.dataset["target"];
  const inside = target ? document.querySelector(target) : null;
  if (target && !inside) console.warn(`assistant-chat: nothing on this page matches data-target="${target}"`);
  element.floating = !inside;
  element.classList.add(inside ? "inline" : "floating");
  (inside ?? document.body).append(element);
}

// A page that has the tag twice gets one chat.
if (!customElements.get(TAG)) {
  customElements.define(TAG, AssistantChat);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", place, { once: true });
  else place();
}
