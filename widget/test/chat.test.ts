import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Chat } from "../src/chat";
import type { Ticket } from "../src/ticket";
import { MemoryDrawer, MemoryLine, WORDS } from "./line";
import { finished, piece, session, sessionEvent, started, wireTurn } from "./samples";

class MemoryTickets {
  constructor(public ticket: Ticket | null = null) {}
  read(): Ticket | null {
    return this.ticket;
  }
  write(ticket: Ticket): void {
    this.ticket = ticket;
  }
}

let line: MemoryLine;
let tickets: MemoryTickets;
let chat: Chat;

function accepted(id: string, duplicate = false): object {
  return { ok: true, turn_id: id, client_id: line.last("user_message").payload["client_id"], duplicate };
}

beforeEach(() => {
  vi.useFakeTimers();
  line = new MemoryLine();
  tickets = new MemoryTickets();
  chat = new Chat(tickets, new MemoryDrawer(), () => line, WORDS);
});

afterEach(() => {
  chat.close();
  vi.useRealTimers();
});

describe("sending", () => {
  it("waits for the session", () => {
    chat.send("hello");
    expect(line.asked).toEqual([]);
    chat.heard(sessionEvent());
    expect(line.last("user_message").payload).toMatchObject({ text: "hello" });
  });

  it("does not hide why we are kept out", () => {
    chat.refused({ code: "bad_user_token", message: "The sign-in for this chat has expired." });
    chat.send("hello");
    expect(chat.problem?.code).toBe("bad_user_token");
    chat.connected();
    chat.heard(sessionEvent());
    expect(chat.problem).toBeNull();
    expect(line.last("user_message").payload).toMatchObject({ text: "hello" });
  });

  it("has one message on its way at a time", async () => {
    chat.heard(sessionEvent());
    chat.send("one");
    chat.send("two");
    expect(line.of("user_message")).toHaveLength(1);
    await line.last("user_message").answer(accepted("t1"));
    expect(line.of("user_message").map(({ payload }) => payload["text"])).toEqual(["one", "two"]);
    expect(chat.conversation.turns.map(({ id }) => id)).toEqual(["t1"]);
  });

  it("repeats after a reconnect under the same name", async () => {
    chat.heard(sessionEvent());
    chat.send("hello");
    const first = line.last("user_message");
    chat.disconnected();
    await first.lose();
    expect(line.of("user_message")).toHaveLength(1);
    chat.heard(sessionEvent());
    const second = line.last("user_message");
    expect(second).not.toBe(first);
    expect(second.payload).toEqual(first.payload);
  });

  it("does not repeat what the session shows as accepted", async () => {
    chat.heard(sessionEvent());
    chat.send("hello");
    const sent = line.last("user_message");
    chat.disconnected();
    await sent.lose();
    const clientId = sent.payload["client_id"] as string;
    chat.heard(sessionEvent({ turns: [wireTurn("t1", { client_id: clientId, state: "complete", answer: "hi" })] }));
    expect(line.of("user_message")).toHaveLength(1);
    expect(chat.outbox).toEqual([]);
  });

  it("does not repeat what turn_started shows as accepted, though the acknowledgement was lost", async () => {
    chat.heard(sessionEvent());
    chat.send("hello");
    const sent = line.last("user_message");
    const clientId = sent.payload["client_id"] as string;
    chat.heard({ type: "turn_started", turn: { turn_id: "t1", client_id: clientId, text: "hello", at: "2025-01-01T10:00:00Z" } });
    await sent.lose();
    expect(line.of("user_message")).toHaveLength(1);
    expect(chat.conversation.turns).toHaveLength(1);
  });

  it("gives up for now after three silent tries, and can be tried again", async () => {
    chat.heard(sessionEvent());
    chat.send("hello");
    for (let tries = 0; tries < 3; tries++) await line.last("user_message").lose();
    expect(line.of("user_message")).toHaveLength(3);
    expect(chat.outbox[0]).toMatchObject({ state: "refused", error: { message: "No answer." } });
    chat.sendAgain(chat.outbox[0]!.clientId);
    expect(line.of("user_message")).toHaveLength(4);
  });

  it("keeps a refused message with the reason, and tries again under the same name", async () => {
    chat.heard(sessionEvent());
    chat.send("hello");
    const first = line.last("user_message");
    await first.answer({ ok: false, error: { code: "rate_limited", message: "Too fast." } });
    expect(chat.outbox[0]).toMatchObject({ state: "refused", error: { code: "rate_limited", message: "Too fast." } });
    chat.sendAgain(chat.outbox[0]!.clientId);
    expect(line.last("user_message").payload).toEqual(first.payload);
  });

  it("goes on with the next message when one is refused", async () => {
    chat.heard(sessionEvent());
    chat.send("one");
    chat.send("two");
    await line.last("user_message").answer({ ok: false, error: { code: "busy", message: "Busy." } });
    expect(line.last("user_message").payload["text"]).toBe("two");
  });

  it("asks what became of a duplicate that it does not know", async () => {
    chat.heard(sessionEvent());
    chat.send("hello");
    await line.last("user_message").answer(accepted("t9", true));
    expect(line.last("resume").payload).toEqual({ turn_id: "t9", after_seq: -1 });
  });
});

describe("identity", () => {
  it("presents the token and what it has, fresh at each connect", () => {
    expect(chat.auth()).toEqual({ protocol: 1 });
    chat.heard(sessionEvent({ token: "token-2" }));
    chat.heard(started("t1"));
    chat.heard(piece("t1", 0, "a"));
    expect(chat.auth()).toEqual({ protocol: 1, token: "token-2", after: { turn_id: "t1", seq: 0 } });
    chat.heard(finished("t1", "a"));
    expect(chat.auth()).toEqual({ protocol: 1, token: "token-2" });
  });

  it("follows another tab into its new conversation", () => {
    chat.heard(sessionEvent());
    chat.follow();
    expect(line.reconnects).toBe(0);
    tickets.write({ token: "token-3", conversation: "c2" });
    chat.follow();
    expect(line.reconnects).toBe(1);
  });
});

describe("two tabs", () => {
  it("a session that was under way does not take the other tab back into the old conversation", () => {
    chat.auth();
    chat.heard(sessionEvent());
    chat.disconnected();
    chat.auth();
    tickets.write({ token: "token-3", conversation: "c2" });
    chat.heard(sessionEvent());
    expect(tickets.ticket).toEqual({ token: "token-3", conversation: "c2" });
    expect([line.reconnects, chat.conversation.ready]).toEqual([1, false]);
    expect(chat.auth()).toMatchObject({ token: "token-3" });
    chat.heard(sessionEvent({ conversation_uuid: "c2", token: "token-4" }));
    expect([chat.conversation.id, line.reconnects]).toEqual(["c2", 1]);
  });

  it("that open at once for the first time end in one conversation", () => {
    chat.auth();
    tickets.write({ token: "other", conversation: "c9" });
    chat.heard(sessionEvent());
    expect([line.reconnects, chat.conversation.id]).toEqual([1, null]);
  });

  it("an older token of the same conversation is written over", () => {
    chat.auth();
    chat.heard(sessionEvent({ token: "token-2" }));
    chat.disconnected();
    chat.auth();
    tickets.write({ token: "token-1", conversation: "c1" });
    chat.heard(sessionEvent({ token: "token-3" }));
    expect([tickets.ticket?.token, line.reconnects]).toEqual(["token-3", 0]);
  });
});

describe("a new conversation", () => {
  it("that may or may not have begun is found out by connecting again", async () => {
    chat.heard(sessionEvent({ turns: [wireTurn("t1")] }));
    const done = chat.startAnew();
    await line.last("new_conversation").lose();
    await done;
    expect([line.reconnects, chat.conversation.id]).toEqual([1, "c1"]);
  });

  it("is where a message goes that was written on the way there", async () => {
    chat.heard(sessionEvent({ turns: [wireTurn("t1")] }));
    const done = chat.startAnew();
    chat.send("fresh");
    expect(line.of("user_message")).toEqual([]);
    await line.last("new_conversation").answer({ ok: true, session: session({ conversation_uuid: "c2" }) });
    await done;
    expect(line.last("user_message").payload).toMatchObject({ text: "fresh" });
  });

  it("is not where an answer of the old one is shown, though its acknowledgement comes late", async () => {
    chat.heard(sessionEvent());
    chat.send("late");
    const done = chat.startAnew();
    await line.last("new_conversation").answer({ ok: true, session: session({ conversation_uuid: "c2" }) });
    await done;
    await line.last("user_message").answer(accepted("t1"));
    expect([chat.conversation.turns, chat.outbox]).toEqual([[], []]);
  });

  it("takes the place of the old one with everything that waited", async () => {
    chat.heard(sessionEvent({ turns: [wireTurn("t1")] }));
    const done = chat.startAnew();
    await line.last("new_conversation").answer({ ok: true, session: session({ conversation_uuid: "c2", token: "token-2" }) });
    await done;
    expect(chat.conversation).toMatchObject({ id: "c2", turns: [], renewed: null });
    expect(tickets.ticket).toEqual({ token: "token-2", conversation: "c2" });
  });

  it("that is refused leaves everything and says why", async () => {
    chat.heard(sessionEvent({ turns: [wireTurn("t1")] }));
    const done = chat.startAnew();
    await line.last("new_conversation").answer({ ok: false, error: { code: "rate_limited", message: "Too fast." } });
    await done;
    expect(chat.conversation.id).toBe("c1");
    expect(chat.problem?.message).toBe("Too fast.");
  });
});

describe("a chat that is taken away in the middle of an answer", () => {
  it("leaves nothing running", () => {
    chat.heard(sessionEvent());
    chat.heard(started("t1"));
    expect(vi.getTimerCount()).toBe(1);
    // As a socket does that is closed while it is connected.
    line.close = () => chat.disconnected();
    chat.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("stop, rating and history", () => {
  it("says stop again after a reconnect until the turn has ended", async () => {
    chat.heard(sessionEvent());
    chat.heard(started("t1"));
    chat.stop();
    await line.last("stop").lose();
    chat.disconnected();
    chat.heard(sessionEvent({ turns: [wireTurn("t1", { state: "running" })] }));
    expect(line.of("stop").map(({ payload }) => payload)).toEqual([{ turn_id: "t1" }, { turn_id: "t1" }]);
    chat.heard(finished("t1", "", { state: "stopped" }));
    chat.disconnected();
    chat.heard(sessionEvent({ turns: [wireTurn("t1", { state: "stopped" })] }));
    expect(line.of("stop")).toHaveLength(2);
  });

  it("takes a rating back that was not recorded", async () => {
    chat.heard(sessionEvent({ turns: [wireTurn("t1", { feedback: "up" })] }));
    const done = chat.requests.rate("t1", "down");
    expect(chat.conversation.turns[0]?.feedback).toBe("down");
    await line.last("feedback").answer({ ok: false, error: { code: "internal", message: "Sorry." } });
    await done;
    expect(chat.conversation.turns[0]?.feedback).toBe("up");
    expect(chat.problem?.message).toBe("Sorry.");
  });

  it("loads what came before the first turn that it has", async () => {
    chat.heard(sessionEvent({ turns: [wireTurn("t1")] }));
    const done = chat.requests.earlier();
    expect(line.last("history").payload).toEqual({ before: "t1", limit: 20 });
    await line.last("history").answer({ ok: true, turns: [wireTurn("t0", { at: "2024-01-01T00:00:00Z" })], more: true });
    await done;
    expect(chat.conversation.turns.map(({ id }) => id)).toEqual(["t0", "t1"]);
    expect(chat.conversation.more).toBe(true);
  });
});

describe("what the server says apart from turns", () => {
  it("is shown, and gone with the next connection", () => {
    chat.refused({ code: "busy", message: "Full." });
    expect(chat.problem?.message).toBe("Full.");
    chat.connected();
    expect(chat.problem).toBeNull();
    chat.message({ code: "rate_limited", text: "Slower, please." });
    expect(chat.problem?.message).toBe("Slower, please.");
  });
});
