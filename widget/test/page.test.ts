/** The script tag on a page, with a socket that a test can play the server of. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AssistantChat } from "../src/api";
import { finished, session, started, userToken, wireTurn } from "./samples";
import type { FakeSocket } from "./socket";

// The same for every run of the script.
const { io, sockets } = await vi.hoisted(() => import("./socket"));
vi.mock("socket.io-client", () => ({ io }));

let warned: string[];
let hidden: boolean;

/** As if a page had the tag (once more). */
async function tag(data: Record<string, string> = {}): Promise<AssistantChat | undefined> {
  const script = document.createElement("script");
  script.type = "text/plain";
  script.src = "https://a.example/static/chat-widget.js";
  Object.assign(script.dataset, data);
  vi.spyOn(Document.prototype, "currentScript", "get").mockReturnValue(script);
  vi.resetModules();
  await import("../src/main");
  return window.AssistantChat;
}

function socket(): FakeSocket {
  return sockets.at(-1)!;
}

function auth(): Record<string, unknown> {
  let given: Record<string, unknown> = {};
  const [, options] = io.mock.calls.at(-1) as unknown as [string, { auth(give: (value: typeof given) => void): void }];
  options.auth((value) => (given = value));
  return given;
}

function arrive(over: Parameters<typeof session>[0] = {}): void {
  socket().join();
  socket().happen("session", session(over));
}

function element(): HTMLElement | null {
  return document.querySelector("assistant-chat");
}

function part(name: string): HTMLElement {
  return element()!.shadowRoot!.querySelector<HTMLElement>(`[data-test=${name}], .${name}`)!;
}

function happen(event: { type: string }): void {
  const { type, ...rest } = event;
  socket().happen(type, Object.values(rest)[0]);
}

/** What listeners were told; they are called after what happened. */
async function told(heard: unknown[]): Promise<unknown[]> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  return heard.splice(0);
}

beforeEach(() => {
  warned = [];
  hidden = false;
  vi.spyOn(console, "warn").mockImplementation((sentence: string) => void warned.push(sentence));
  vi.spyOn(document, "hidden", "get").mockImplementation(() => hidden);
  vi.stubGlobal("ResizeObserver", class { observe(): void {} });
  vi.stubGlobal("CSSStyleSheet", class { replaceSync(): void {} });
  vi.stubGlobal("matchMedia", () => ({ matches: false }));
});

afterEach(() => {
  window.AssistantChat?.destroy();
  document.body.replaceChildren();
  document.documentElement.lang = "";
  localStorage.clear();
  sessionStorage.clear();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe("before anybody wants a chat", () => {
  const ticket = JSON.stringify({ token: "token-1", conversation: "c1" });
  const key = "assistant-chat:https://a.example/";

  it("asks nothing of the server, keeps nothing, and complains of nothing", async () => {
    vi.useFakeTimers();
    const before = sockets.length;
    const api = (await tag({ userToken: userToken("ann") }))!;
    const heard: unknown[] = [];
    api.on("error", (error) => heard.push(error));
    api.identify(userToken("ann", 2));
    api.identify(null);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sockets.slice(before).map(({ connects }) => connects)).toEqual([0, 0]);
    expect([localStorage.length, sessionStorage.length, heard.length]).toEqual([0, 0, 0]);
    api.open();
    expect(socket().connects).toBe(1);
    vi.useRealTimers();
  });

  it.each([
    ["the chat is open", () => undefined, { open: "" }],
    ["the chat stands in the page", () => document.body.append(Object.assign(document.createElement("main"), { id: "chat" })), { target: "#chat" }],
    ["this browser has a conversation", () => localStorage.setItem(key, ticket), {}],
    ["a message was not sent", () => sessionStorage.setItem(`${key}:outbox`, JSON.stringify([{ clientId: "1", text: "Hello" }])), {}],
  ])("connects at once when %s", async (_, prepare, data) => {
    prepare();
    await tag(data);
    expect(socket().connects).toBe(1);
  });

  it("connects when another tab has begun a conversation", async () => {
    await tag();
    localStorage.setItem(key, ticket);
    dispatchEvent(new StorageEvent("storage", { key, newValue: ticket }));
    expect(socket().connects).toBe(1);
    expect(auth()).toMatchObject({ token: "token-1" });
  });

  it("connects for a message of the page", async () => {
    (await tag())!.send("Hello");
    expect(socket().connects).toBe(1);
  });
});

describe("the tag", () => {
  it("twice gives one chat and one API", async () => {
    const api = await tag();
    const made = sockets.length;
    expect(await tag()).toBe(api);
    expect(document.querySelectorAll("assistant-chat")).toHaveLength(1);
    expect(sockets).toHaveLength(made);
  });

  it("shows the site's words as text, in the language that it asks for", async () => {
    await tag({ title: "Ask <b>us</b>", greeting: "<i>Hello</i>", prompts: "One?|<u>Two?</u>", language: "de" });
    arrive();
    const root = element()!.shadowRoot!;
    expect(root.querySelector(".title")!.textContent).toBe("Ask <b>us</b>");
    expect(root.querySelector(".empty")!.textContent).toBe("<i>Hello</i>Fragen Sie, was Sie möchten.One?<u>Two?</u>");
    expect(root.querySelector("b, i:not(.dots i), u")).toBeNull();
    expect([element()!.lang, part("input").getAttribute("aria-label")]).toEqual(["de", "Ihre Nachricht"]);
  });

  it("has its words at the side that is asked for, else at the end of the lines", async () => {
    await tag({ language: "ar" });
    expect(part("root").className).toBe("root floating on-left");
    window.AssistantChat!.destroy();
    await tag({ language: "ar", position: "right" });
    expect(part("root").className).toBe("root floating on-right");
  });

  it("says what is wrong with it, and works", async () => {
    await tag({ accent: "greenish", target: "#nowhere", theme: "black" });
    expect(warned).toEqual([
      'assistant-chat: data-theme="black" is none of auto, light, dark',
      'assistant-chat: nothing on this page matches data-target="#nowhere"',
      'assistant-chat: data-accent="greenish" is no CSS colour',
    ]);
    expect(part("launcher")).toBeTruthy();
  });

  it("takes a place that is no selector for one that is not there", async () => {
    await tag({ target: "##chat" });
    expect(warned).toEqual(['assistant-chat: nothing on this page matches data-target="##chat"']);
    expect(part("launcher")).toBeTruthy();
  });

  it("works where an element of the page has the name of the API", async () => {
    const named = document.createElement("form");
    named.id = "AssistantChat";
    Object.assign(named, { destroy: document.createElement("input") });
    window.AssistantChat = named as unknown as AssistantChat;
    const api = await tag();
    expect(api).toBe(window.AssistantChat);
    expect(api).not.toBe(named);
    expect(part("launcher")).toBeTruthy();
  });

  it("opens by itself where the page wants it, without taking the focus", async () => {
    await tag({ open: "" });
    expect(part("panel").hidden).toBe(false);
    expect(document.activeElement).toBe(document.body);
  });

  it("does not open by itself on a phone, nor where the visitor has closed it", async () => {
    vi.stubGlobal("matchMedia", () => ({ matches: true }));
    await tag({ open: "" });
    expect(part("panel").hidden).toBe(true);
    window.AssistantChat!.destroy();
    vi.stubGlobal("matchMedia", () => ({ matches: false }));
    await tag({ open: "" });
    window.AssistantChat!.close();
    window.AssistantChat!.destroy();
    await tag({ open: "" });
    expect(part("panel").hidden).toBe(true);
  });

  it("is open after a reload if it was before, without taking the focus", async () => {
    (await tag())!.open();
    expect(element()!.shadowRoot!.activeElement).toBe(part("input"));
    window.AssistantChat!.destroy();
    await tag();
    expect(part("panel").hidden).toBe(false);
    expect(part("launcher").getAttribute("aria-expanded")).toBe("true");
    expect(document.activeElement).toBe(document.body);
  });

  it("of a page that threw the chat away makes another", async () => {
    await tag();
    const gone = socket();
    element()!.remove();
    await tag();
    expect(document.querySelectorAll("assistant-chat")).toHaveLength(1);
    expect(socket()).not.toBe(gone);
  });
});

describe("what a page's scripts can do", () => {
  it("works before the page is there", async () => {
    vi.spyOn(document, "readyState", "get").mockReturnValue("loading");
    const api = (await tag())!;
    api.open();
    expect(api.send("hello")).toBe(true);
    expect(element()).toBeNull();
    expect(await tag()).toBe(api);
    document.dispatchEvent(new Event("readystatechange"));
    expect(part("panel").hidden).toBe(false);
    await vi.waitFor(() => expect(part("question").textContent).toContain("hello"));
    expect(document.querySelectorAll("assistant-chat")).toHaveLength(1);
  });

  it("sends as the visitor, and says when it does not", async () => {
    const api = (await tag())!;
    arrive({ limits: { max_text: 5, turn_queue: 0 } });
    expect([api.send(" hello "), api.send("too long"), api.send("  "), api.send("")]).toEqual([true, false, false, false]);
    expect(socket().asked).toEqual(["user_message"]);
    expect(part("panel").hidden).toBe(false);
    api.destroy();
    expect(api.send("hello")).toBe(false);
  });

  it("tells what happens", async () => {
    const api = (await tag())!;
    const heard: unknown[] = [];
    for (const event of ["ready", "open", "close", "message", "answer", "error", "unread"] as const) {
      api.on(event, (detail) => heard.push([event, detail]));
    }
    arrive({ turns: [wireTurn("t1")] });
    expect(await told(heard)).toEqual([["ready", { conversation_uuid: "c1", user_id: "u1" }]]);
    happen(started("t2", "hello"));
    expect(await told(heard)).toEqual([["message", { turn_id: "t2", text: "hello" }]]);
    happen(finished("t2", "Hi.", { state: "truncated" }));
    const answer = ["answer", { turn_id: "t2", text: "Hi.", state: "truncated" }];
    expect(await told(heard)).toEqual([["unread", { count: 1 }], answer]);
    api.open();
    api.open();
    expect(await told(heard)).toEqual([["unread", { count: 0 }], ["open", {}]]);
    api.close();
    expect(await told(heard)).toEqual([["close", {}]]);
    socket().happen("server_message", { code: "restarting", text: "Back soon." });
    expect(await told(heard)).toEqual([["error", { code: "restarting", message: "Back soon." }]]);
  });

  it("tells what was answered while the connection was away, once, and nothing of old turns", async () => {
    const api = (await tag())!;
    const heard: unknown[] = [];
    arrive({ turns: [wireTurn("t1"), wireTurn("t2", { state: "running" })] });
    api.on("message", ({ turn_id }) => heard.push(`message ${turn_id}`));
    api.on("answer", ({ turn_id }) => heard.push(`answer ${turn_id}`));
    socket().lose("transport close");
    const turns = [wireTurn("t0"), wireTurn("t1"), wireTurn("t2"), wireTurn("t3"), wireTurn("t4", { state: "running" })];
    arrive({ turns });
    expect(await told(heard)).toEqual(["answer t2", "message t3", "answer t3", "message t4"]);
    arrive({ turns });
    arrive({ conversation_uuid: "c2", turns: [wireTurn("t9")] });
    expect(await told(heard)).toEqual([]);
  });

  it("tells who asks late that the session is there", async () => {
    const api = (await tag())!;
    arrive();
    const heard: unknown[] = [];
    api.on("ready", (detail) => heard.push(detail));
    expect(await told(heard)).toEqual([{ conversation_uuid: "c1", user_id: "u1" }]);
  });

  it("survives a listener that throws, and forgets one that is taken back", async () => {
    const api = (await tag())!;
    const errors = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const heard: unknown[] = [];
    api.on("open", () => {
      throw new Error("of the page");
    });
    const off = api.on("open", () => heard.push("first"));
    api.on("open", () => heard.push("second"));
    api.open();
    expect(await told(heard)).toEqual(["first", "second"]);
    expect(errors).toHaveBeenCalledWith(new Error("of the page"));
    off();
    off();
    api.close();
    api.open();
    expect(await told(heard)).toEqual(["second"]);
  });

  it("tells a page's script of its mistakes", async () => {
    const api = (await tag())!;
    api.on("anwser" as "answer", () => undefined);
    expect(warned).toEqual(['assistant-chat: on("anwser"): there is no such event']);
    expect(api.send(undefined as unknown as string)).toBe(false);
    expect(api.send({} as string)).toBe(false);
    expect(part("panel").hidden).toBe(true);
  });

  it("takes the chat away, also out of a listener, and the script can be added again", async () => {
    const api = (await tag())!;
    api.on("open", () => api.destroy());
    api.open();
    await told([]);
    expect([element(), window.AssistantChat]).toEqual([null, undefined]);
    expect(socket().active && socket().connected).toBe(false);
    const made = sockets.length;
    document.dispatchEvent(new Event("visibilitychange"));
    expect(sockets).toHaveLength(made);
    const again = (await tag({ title: "Another" }))!;
    expect(again).not.toBe(api);
    expect(part("title").textContent).toBe("Another");
    api.destroy();
    expect(window.AssistantChat).toBe(again);
  });

  it("can take the chat away before the page is there", async () => {
    vi.spyOn(document, "readyState", "get").mockReturnValue("loading");
    (await tag())!.destroy();
    document.dispatchEvent(new Event("readystatechange"));
    expect(element()).toBeNull();
  });
});

describe("unread answers", () => {
  it("are counted while nobody looks, and said by the button", async () => {
    const api = (await tag())!;
    arrive();
    const end = (id: string): void => [started(id), finished(id, "Yes.")].forEach(happen);
    ["t1", "t2", "t3"].forEach(end);
    expect([part("badge").hidden, part("badge").textContent]).toEqual([false, "3"]);
    expect(part("launcher").getAttribute("aria-label")).toBe("Assistant chat, 3 unread");
    api.open();
    expect([part("badge").hidden, part("launcher").getAttribute("aria-label")]).toEqual([true, "Assistant chat"]);
    end("t4");
    expect(part("badge").hidden).toBe(true);
    hidden = true;
    end("t5");
    expect(part("badge").textContent).toBe("1");
    hidden = false;
    document.dispatchEvent(new Event("visibilitychange"));
    expect(part("badge").hidden).toBe(true);
  });
});

describe("the site's users", () => {
  const server = "assistant-chat:https://a.example/";
  const ann = userToken("ann");
  const ben = userToken("ben");

  it("keep what they were writing when they are signed in late, and nobody else gets it", async () => {
    const api = (await tag())!;
    const field = (): HTMLTextAreaElement => part("input") as HTMLTextAreaElement;
    field().value = "I have lost";
    api.identify(userToken("ann"));
    expect(field().value).toBe("I have lost");
    api.identify(userToken("bob"));
    expect(field().value).toBe("");
    field().value = "my parcel";
    const chat = element()!;
    chat.remove();
    document.body.append(chat);
    expect(field().value).toBe("my parcel");
    api.identify(null);
    expect(field().value).toBe("");
  });

  it("are presented to the server, and kept nowhere", async () => {
    await tag({ userToken: ann });
    expect(auth()).toEqual({ protocol: 1, user_token: ann });
    arrive({ token: "ticket of ann" });
    expect(auth()).toEqual({ protocol: 1, user_token: ann, token: "ticket of ann" });
    expect(JSON.stringify({ ...localStorage, ...sessionStorage })).not.toMatch(/ann"|signature/);
  });

  it("each have their own conversation in this browser, as has whoever is not signed in", async () => {
    const api = (await tag())!;
    arrive({ token: "ticket of nobody", conversation_uuid: "c0", turns: [wireTurn("t0")] });
    api.identify(ann);
    expect(auth()).toEqual({ protocol: 1, user_token: ann });
    arrive({ token: "ticket of ann", conversation_uuid: "c1", user_id: "ann" });
    api.identify(ben);
    expect(auth()).toEqual({ protocol: 1, user_token: ben });
    arrive({ token: "ticket of ben", conversation_uuid: "c2", user_id: "ben" });
    api.identify(userToken("ann", 2));
    expect(auth()).toMatchObject({ token: "ticket of ann" });
    api.identify(null);
    expect(auth()).toEqual({ protocol: 1, token: "ticket of nobody" });
    expect(Object.keys({ ...localStorage }).filter((key) => key.startsWith(server))).toHaveLength(3);
  });

  it("never see or send what another one wrote", async () => {
    const api = (await tag({ userToken: ann }))!;
    arrive({ turns: [wireTurn("t1")] });
    api.send("written by ann");
    const left = socket();
    api.identify(ben);
    expect(element()!.shadowRoot!.textContent).not.toMatch(/written by ann|question t1/);
    expect(left.connected).toBe(false);
    arrive({ conversation_uuid: "c2" });
    expect(socket().asked).toEqual([]);
    expect(part("panel").hidden, "it stays open").toBe(false);
    api.identify(ann);
    arrive();
    expect(socket().asked).toEqual(["user_message"]);
  });

  it("with a fresh token lose nothing of the page", async () => {
    const api = (await tag({ userToken: ann }))!;
    arrive();
    const before = socket();
    api.identify(userToken("ann", 2));
    expect(socket()).toBe(before);
    expect(auth()).toMatchObject({ user_token: userToken("ann", 2) });
  });

  it("whose token the server does not want are told so, and it is not asked again and again", async () => {
    vi.useFakeTimers();
    const api = (await tag({ userToken: ann }))!;
    const heard: unknown[] = [];
    api.on("error", (error) => heard.push(error));
    const data = { code: "bad_user_token", message: "You were signed out." };
    api.open();
    socket().connects = 0;
    const connects = (): number => socket().connects;
    socket().active = false;
    socket().happen("connect_error", Object.assign(new Error("refused"), { data }));
    await vi.advanceTimersByTimeAsync(29_000);
    expect(await told(heard)).toEqual([data]);
    expect(part("error").textContent).toBe("You were signed out.");
    expect(connects()).toBe(0);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(connects()).toBe(1);
    api.identify(userToken("ann", 2));
    expect(connects()).toBe(2);
    vi.useRealTimers();
  });

  it("who are asked for in a listener come at once", async () => {
    const api = (await tag({ userToken: ann }))!;
    api.on("error", () => api.identify(null));
    const refused = socket();
    refused.active = false;
    refused.happen("connect_error", Object.assign(new Error("refused"), { data: { code: "bad_user_token", message: "No." } }));
    await told([]);
    expect(socket()).not.toBe(refused);
    expect(auth()).toEqual({ protocol: 1 });
  });
});
