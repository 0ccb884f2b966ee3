/**
 * The script tag's side: where the server is, where to show the chat, the element that holds it, and the page's own
 * scripts, which may call before the page is there.
 *
 *   <script src="https://chat.example.com/static/chat-widget.js" defer></script>            a round button
 *   <script src="…/static/chat-widget.js" data-target="#chat" defer></script>               inside #chat
 */
import { type AssistantChat, Listeners } from "./api";
import { readOptions, warn } from "./options";
import { Widget } from "./widget";

const TAG = "assistant-chat";

/** Defined once a page, while chats may come and go: it only says when it enters and leaves the page. */
class Host extends HTMLElement {
  /** A script that is added again runs what is there: a page may allow one Trusted Types policy of our name, not two. */
  static start = start;
  enter?: () => void;
  leave?: () => void;

  connectedCallback(): void {
    this.enter?.();
  }

  disconnectedCallback(): void {
    this.leave?.();
  }
}

function start(): AssistantChat {
  // Known only while the script runs for the first time. Read past the document's own properties: an element of the page
  // with the name "currentScript" stands before it there, and would choose the server.
  const script = Reflect.get(Document.prototype, "currentScript", document) as HTMLScriptElement | null;
  // The server's address: the script's own, up to its static folder.
  const base = new URL("../", script?.src || new URL("static/", location.href));
  const options = readOptions(script?.dataset ?? {});
  const listeners = new Listeners();
  const widget = new Widget(base, options, listeners.tell);
  let early: (() => void)[] | null = [];
  let element: Host | null = null;
  let alive = true;

  function place(): void {
    if (!alive) return;
    const { target } = options;
    const inside = target ? find(target) : null;
    if (target && !inside) warn(`nothing on this page matches data-target="${target}"`);
    const host = (element = document.createElement(TAG) as Host);
    host.enter = () => widget.begin(host, !inside);
    host.leave = () => widget.end();
    host.className = inside ? "inline" : "floating";
    (inside ?? document.body).append(host);
    early?.forEach((call) => call());
    early = null;
  }

  const whenPlaced = (call: () => void): void => void (early ? early.push(call) : call());
  const api: AssistantChat = {
    open: () => whenPlaced(() => widget.view?.popUp.open()),
    close: () => whenPlaced(() => widget.view?.popUp.close()),
    send(text) {
      const words = typeof text === "string" ? text.trim() : "";
      if (!alive || !words) return false;
      let taken = true;
      whenPlaced(() => {
        widget.view?.popUp.open();
        taken = widget.view?.send(words) ?? false;
      });
      return taken;
    },
    on: (event, listener) => listeners.on(event, listener),
    identify(userToken) {
      const another = widget.identify(userToken || null);
      if (!another || !element?.isConnected) return;
      const focused = element.shadowRoot?.activeElement;
      listeners.forget();
      element.leave?.();
      element.enter?.();
      if (focused) widget.view?.popUp.takeFocus();
    },
    destroy() {
      alive = false;
      listeners.clear();
      element?.remove();
      if (window.AssistantChat === api) delete window.AssistantChat;
    },
  };
  // Before scripts with "defer" run, of which one may be this one again.
  if (document.readyState === "loading") document.addEventListener("readystatechange", place, { once: true });
  else place();
  return api;
}

/** Null also for what is no selector. */
function find(selector: string): Element | null {
  try {
    return document.querySelector(selector);
  } catch {
    return null;
  }
}

// A page that has the tag twice gets one chat. One that threw the element away, as some routers do, gets another.
// An element of the page with that name is no chat, whatever it has inside.
const there = typeof window.AssistantChat?.destroy === "function" ? window.AssistantChat : null;
if (!there || (document.readyState !== "loading" && !document.querySelector(TAG))) {
  there?.destroy();
  if (!customElements.get(TAG)) customElements.define(TAG, Host);
  window.AssistantChat = (customElements.get(TAG) as typeof Host).start();
}
