import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Chat } from "../src/chat";
import type { Ticket } from "../src/ticket";
import { View } from "../src/view";
import type { WireConversation } from "../src/wire";
import { MemoryDrawer, MemoryLine, WORDS } from "./line";
import { session, sessionEvent, wireTurn } from "./samples";

let line: MemoryLine;
let ticket: Ticket | null;
let chat: Chat;
let view: View;

const all = <T extends HTMLElement>(name: string): T[] => [...view.root.querySelectorAll<T>(`[data-test=${name}]`)];
const one = <T extends HTMLElement>(name: string): T => all<T>(name)[0]!;
const list = (): HTMLElement => one("conversations");
const past = (id: string): WireConversation => ({ conversation_uuid: id, title: `About ${id}`, at: "2025-01-01T10:00:00Z" });
const page = (ids: string[], more = false): object => ({ ok: true, conversations: ids.map(past), more });
const drawn = (): void => void vi.advanceTimersByTime(20);

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("ResizeObserver", class { observe(): void {} });
  line = new MemoryLine();
  ticket = { token: "token-0", conversation: "c1" };
  const tickets = { read: () => ticket, write: (written: Ticket) => void (ticket = written) };
  chat = new Chat(tickets, new MemoryDrawer(), () => line, WORDS);
  view = new View(chat, false);
  chat.onChange = () => view.changed();
  document.body.replaceChildren(view.root);
  chat.auth();
  chat.heard(sessionEvent({ signed_in: true, turns: [wireTurn("t1", { answer: "Yes." })] }));
  drawn();
});

afterEach(() => {
  view.destroy();
  chat.close();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("the list of conversations", () => {
  it("is for signed-in users only", () => {
    expect(one("past").hidden).toBe(false);
    one("past").click();
    chat.heard(sessionEvent());
    drawn();
    expect([one("past").hidden, list().hidden]).toEqual([true, true]);
  });

  it("shows titles, marks the open one, and goes on where it ended", async () => {
    one("past").click();
    expect(document.activeElement).toBe(one("back"));
    expect(line.last("conversations").payload).toEqual({ before: null, limit: 20 });
    await line.last("conversations").answer(page(["c2", "c1"], true));
    expect(all("entry").map((entry) => entry.querySelector("span")!.textContent)).toEqual(["About c2", "About c1"]);
    expect(all("entry").map((entry) => entry.getAttribute("aria-current"))).toEqual([null, "true"]);
    one("more").focus();
    one("more").click();
    expect(line.last("conversations").payload).toEqual({ before: "c1", limit: 20 });
    await line.last("conversations").answer(page(["c0"]));
    expect([all("entry").length, one("more").hidden]).toEqual([3, true]);
  });

  it("says that there are none", async () => {
    one("past").click();
    await line.last("conversations").answer(page([]));
    expect(list().querySelector("p")!.textContent).toBe("No conversations yet.");
    expect(list().querySelector("p")!.hidden).toBe(false);
  });

  it("says why it could not be had, and can be asked again", async () => {
    one("past").click();
    await line.last("conversations").lose();
    expect([list().querySelector("p")!.textContent, one("more").textContent]).toEqual(["No answer.", "Try again"]);
    one("more").click();
    await line.last("conversations").answer(page(["c1"]));
    expect([all("entry").length, list().querySelector("p")!.hidden]).toEqual([1, true]);
  });

  it("covers the thread, and Back and Escape lead to it again", () => {
    const thread = view.root.querySelector<HTMLElement>(".thread")!;
    one("past").click();
    expect([thread.inert, one("past").getAttribute("aria-expanded")]).toEqual([true, "true"]);
    one("back").click();
    expect([list().hidden, thread.inert, document.activeElement]).toEqual([true, false, one("past")]);
    one("past").click();
    one("back").dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    expect([list().hidden, one("past").getAttribute("aria-expanded")]).toEqual([true, "false"]);
  });

  it("is not filled by the answer to an earlier opening", async () => {
    one("past").click();
    const first = line.last("conversations");
    one("past").click();
    one("past").click();
    await line.last("conversations").answer(page(["c1"]));
    await first.answer(page(["c1", "c2"]));
    expect(all("entry")).toHaveLength(1);
  });

  it("makes way for a message and for a new conversation", async () => {
    one("past").click();
    one("new").click();
    expect(list().hidden).toBe(true);
    await line.last("new_conversation").answer({ ok: true, session: session({ conversation_uuid: "c9", signed_in: true }) });
    one("past").click();
    one<HTMLTextAreaElement>("input").value = "hello";
    one("input").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", cancelable: true }));
    expect(list().hidden).toBe(true);
  });
});

describe("a conversation that was picked", () => {
  beforeEach(async () => {
    one("past").click();
    await line.last("conversations").answer(page(["c2", "c1"]));
  });

  it("is asked for by the next connection, without the answer of the old one", () => {
    chat.heard({ type: "turn_started", turn: { turn_id: "t2", client_id: null, text: "running", at: "2025-01-01T10:00:00Z" } });
    all("entry")[0]!.click();
    expect(line.reconnects).toBe(1);
    expect(chat.auth()).toEqual({ protocol: 1, token: "token-1", conversation_uuid: "c2" });
    chat.heard(sessionEvent({ conversation_uuid: "c2", token: "token-2", signed_in: true, turns: [wireTurn("t9")] }));
    drawn();
    expect(chat.conversation.turns.map(({ id }) => id)).toEqual(["t9"]);
    // Where other tabs and the next visit go.
    expect(ticket).toEqual({ token: "token-2", conversation: "c2" });
    expect(chat.auth()).not.toHaveProperty("conversation_uuid");
  });

  it("is asked for again when the connection is cut on the way", () => {
    all("entry")[0]!.click();
    chat.auth();
    chat.disconnected();
    expect(chat.auth()).toHaveProperty("conversation_uuid", "c2");
  });

  it("gets what is written on the way to it", async () => {
    all("entry")[0]!.click();
    chat.disconnected();
    chat.send("for the second");
    chat.auth();
    chat.heard(sessionEvent({ conversation_uuid: "c2", signed_in: true }));
    expect(line.last("user_message").payload["text"]).toBe("for the second");
  });

  it("and is not there any more leads back to the old one, and says so until it is dismissed", () => {
    all("entry")[0]!.click();
    chat.auth();
    chat.disconnected();
    chat.refused({ code: "not_yours", message: "Not there." });
    expect(chat.auth()).not.toHaveProperty("conversation_uuid");
    chat.connected();
    chat.heard(sessionEvent({ signed_in: true, turns: [wireTurn("t1", { answer: "Yes." })] }));
    drawn();
    expect(chat.conversation.id).toBe("c1");
    expect(one("error").textContent).toBe("Not there.");
  });

  it("gives way to another pick while it could not be opened yet, be it the one that is shown", () => {
    all("entry")[0]!.click();
    chat.disconnected();
    all("entry")[1]!.click();
    expect(chat.auth()).toHaveProperty("conversation_uuid", "c1");
  });

  it("is not opened again when it is open", () => {
    all("entry")[1]!.click();
    expect([line.reconnects, list().hidden]).toEqual([0, true]);
  });
});
