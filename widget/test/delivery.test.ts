import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Chat } from "../src/chat";
import { Drawer } from "../src/drawer";
import type { Ticket } from "../src/ticket";
import { MemoryLine, WORDS } from "./line";
import { finished, sessionEvent, started } from "./samples";

let line: MemoryLine;
const drawer = new Drawer("https://a.example/");
let chat: Chat;

const BUSY = { ok: false, error: { code: "busy", message: "Please wait.", retry_after: 5 } };

function open(ticket: Ticket | null = null): void {
  line = new MemoryLine();
  const tickets = { read: () => ticket, write: (next: Ticket) => void (ticket = next) };
  chat = new Chat(tickets, drawer, () => line, WORDS);
}

function reload(): void {
  chat.close();
  open({ token: "t", conversation: "c1" });
}

function accept(id: string): Promise<void> {
  const { payload, answer } = line.last("user_message");
  return answer({ ok: true, turn_id: id, client_id: payload["client_id"], duplicate: false });
}

function sent(): unknown[] {
  return line.of("user_message").map(({ payload }) => payload["text"]);
}

function states(): string[] {
  return chat.outbox.map((message) => message.state);
}

beforeEach(() => {
  vi.useFakeTimers();
  open();
});

afterEach(() => {
  chat.close();
  sessionStorage.clear();
  vi.useRealTimers();
});

describe("a refusal that passes", () => {
  it("leaves the message waiting with the reason, and it goes again by itself under its name", async () => {
    chat.heard(sessionEvent());
    chat.send("hello");
    await line.last("user_message").answer(BUSY);
    expect(chat.outbox[0]).toMatchObject({ state: "held", error: { message: "Please wait." } });
    vi.advanceTimersByTime(4_900);
    expect(sent()).toEqual(["hello"]);
    vi.advanceTimersByTime(1_200);
    expect(sent()).toEqual(["hello", "hello"]);
    expect(line.of("user_message")[1]!.payload).toEqual(line.of("user_message")[0]!.payload);
    await accept("t1");
    expect(chat.outbox).toEqual([]);
  });

  it("is any that names a time, also one that we do not know", async () => {
    for (const code of ["restarting", "journal_unavailable", "something_new"]) {
      chat.heard(sessionEvent());
      chat.send(code);
      await line.last("user_message").answer({ ok: false, error: { code, message: "Later.", retry_after: 1 } });
      expect(states()).toEqual(["held"]);
      chat.discard(chat.outbox[0]!.clientId);
    }
  });

  it("lets nothing overtake it", async () => {
    chat.heard(sessionEvent());
    for (const text of ["one", "two", "three"]) chat.send(text);
    await line.last("user_message").answer(BUSY);
    expect([sent(), states()]).toEqual([["one"], ["held", "waiting", "waiting"]]);
    vi.advanceTimersByTime(6_100);
    for (const id of ["t1", "t2", "t3"]) await accept(id);
    expect(sent()).toEqual(["one", "one", "two", "three"]);
  });

  it("is waited out for longer each time, up to half a minute and never less than the server says", async () => {
    const jitter = vi.spyOn(Math, "random").mockReturnValue(0);
    chat.heard(sessionEvent());
    chat.send("hello");
    for (const seconds of [5, 10, 20, 30, 30]) {
      await line.last("user_message").answer(BUSY);
      const before = sent().length;
      vi.advanceTimersByTime(seconds * 1_000 - 1);
      expect(sent()).toHaveLength(before);
      vi.advanceTimersByTime(1);
      expect(sent()).toHaveLength(before + 1);
    }
    await line.last("user_message").answer({ ok: false, error: { ...BUSY.error, retry_after: 90 } });
    vi.advanceTimersByTime(89_999);
    expect(sent()).toHaveLength(6);
    jitter.mockRestore();
  });

  it("is over when an answer of this conversation ends", async () => {
    chat.heard(sessionEvent());
    chat.heard(started("t0"));
    chat.send("hello");
    await line.last("user_message").answer(BUSY);
    chat.heard(finished("t0", "x"));
    expect(sent()).toEqual(["hello", "hello"]);
    vi.advanceTimersByTime(10_000);
    expect(sent(), "the old alarm is off").toHaveLength(2);
  });

  it("that says another thing than busy is not over with an answer", async () => {
    chat.heard(sessionEvent());
    chat.heard(started("t0"));
    chat.send("hello");
    await line.last("user_message").answer({ ok: false, error: { code: "journal_unavailable", message: "Later.", retry_after: 5 } });
    chat.heard(finished("t0", "x"));
    expect(sent()).toEqual(["hello"]);
  });

  it("is out of date when an answer ended while it was on its way", async () => {
    chat.heard(sessionEvent());
    chat.heard(started("t0"));
    chat.send("hello");
    chat.heard(finished("t0", "x"));
    await line.last("user_message").answer(BUSY);
    vi.advanceTimersByTime(1);
    expect(sent()).toEqual(["hello", "hello"]);
  });

  it("is over with a new session", async () => {
    chat.heard(sessionEvent());
    chat.send("hello");
    await line.last("user_message").answer({ ok: false, error: { code: "restarting", message: "Restarting.", retry_after: 5 } });
    chat.disconnected();
    vi.advanceTimersByTime(10_000);
    expect(sent()).toEqual(["hello"]);
    chat.heard(sessionEvent());
    expect(sent()).toEqual(["hello", "hello"]);
  });

  it("can be cut short by discarding the message, and the next one goes", async () => {
    chat.heard(sessionEvent());
    chat.send("one");
    chat.send("two");
    await line.last("user_message").answer(BUSY);
    chat.discard(chat.outbox[0]!.clientId);
    expect(sent()).toEqual(["one", "two"]);
  });
});

describe("a message that every connection breaks on", () => {
  it("ends at last, and can be tried again", async () => {
    chat.heard(sessionEvent());
    chat.send("poison");
    for (let cuts = 0; cuts < 10; cuts++) {
      const message = line.last("user_message");
      chat.disconnected();
      await message.lose();
      chat.heard(sessionEvent());
    }
    expect([states(), sent().length]).toEqual([["refused"], 10]);
    chat.sendAgain(chat.outbox[0]!.clientId);
    expect(sent()).toHaveLength(11);
  });
});

describe("after a reload", () => {
  it("what was not acknowledged goes again, in order and under its name", async () => {
    chat.heard(sessionEvent());
    chat.send("one");
    chat.send("two");
    const first = line.last("user_message").payload;
    reload();
    expect(chat.outbox).toHaveLength(2);
    chat.heard(sessionEvent());
    expect(line.last("user_message").payload).toEqual(first);
    await accept("t1");
    await accept("t2");
    expect([sent(), drawer.read()]).toEqual([["one", "two"], []]);
  });

  it("what was written before there was any conversation goes too", () => {
    chat.send("early");
    reload();
    chat.heard(sessionEvent());
    expect(sent()).toEqual(["early"]);
  });

  it("into another conversation its writer is asked first", async () => {
    chat.heard(sessionEvent());
    chat.send("old");
    const { client_id: name } = line.last("user_message").payload;
    reload();
    chat.auth();
    chat.heard(sessionEvent({ conversation_uuid: "c2", renewed: "expired" }));
    expect([sent(), chat.outbox[0]]).toMatchObject([[], { state: "refused", error: { message: "Of another conversation." } }]);
    chat.sendAgain(chat.outbox[0]!.clientId);
    expect(line.last("user_message").payload).toEqual({ text: "old", client_id: name });
  });

  it("nothing is left of what was discarded", () => {
    chat.send("no");
    reload();
    chat.discard(chat.outbox[0]!.clientId);
    expect([chat.outbox, drawer.read()]).toEqual([[], []]);
  });
});

describe("without a reload", () => {
  it("a message of a conversation that is gone is not slipped into the next one either", () => {
    chat.auth();
    chat.heard(sessionEvent());
    chat.disconnected();
    chat.send("old");
    chat.auth();
    chat.heard(sessionEvent({ conversation_uuid: "c2", renewed: "expired" }));
    expect([sent(), states()]).toEqual([[], ["refused"]]);
  });
});
