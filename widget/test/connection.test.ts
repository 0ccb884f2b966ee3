import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Connection, type Hearer } from "../src/connection";
import { type FakeSocket, sockets } from "./socket";

vi.mock("socket.io-client", () => import("./socket"));

let connection: Connection;
let socket: FakeSocket;
let visibility: DocumentVisibilityState;
let lost: number;

const hearer: Hearer = {
  auth: () => ({}),
  heard: () => undefined,
  message: () => undefined,
  refused: () => undefined,
  connected: () => undefined,
  disconnected: () => void lost++,
};

function show(state: DocumentVisibilityState): void {
  visibility = state;
  document.dispatchEvent(new Event("visibilitychange"));
}

beforeEach(() => {
  vi.useFakeTimers();
  visibility = "visible";
  lost = 0;
  vi.spyOn(document, "visibilityState", "get").mockImplementation(() => visibility);
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  connection = new Connection(new URL("https://a.example/"), hearer);
  socket = sockets.at(-1)!;
  connection.begin();
  socket.connects = 0;
});

afterEach(() => {
  connection.close();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("before it is wanted", () => {
  it("it tries nothing, whatever happens on the page, and then once", () => {
    const another = new Connection(new URL("https://a.example/"), hearer);
    const unwanted = sockets.at(-1)!;
    dispatchEvent(new Event("online"));
    show("visible");
    another.reconnect();
    expect(unwanted.connects).toBe(0);
    another.begin();
    another.begin();
    expect(unwanted.connects).toBe(1);
    another.close();
  });
});

describe("without a connection", () => {
  it("it tries at once when the network is back, also in a hidden tab, and when the tab is shown", () => {
    socket.join();
    socket.lose("transport close");
    show("hidden");
    expect(socket.connects).toBe(0);
    dispatchEvent(new Event("online"));
    expect(socket.connects).toBe(1);
    socket.io.engine.readyState = "closed";
    show("visible");
    expect(socket.connects).toBe(2);
  });

  it("an attempt that has just begun is left alone, one that hangs is not", () => {
    show("visible");
    dispatchEvent(new Event("online"));
    expect(socket.connects).toBe(0);
    vi.advanceTimersByTime(3_100);
    show("visible");
    expect(socket.connects).toBe(1);
    show("visible");
    expect(socket.connects).toBe(1);
  });

  it("an attempt of socket.io's own counts as one", () => {
    vi.advanceTimersByTime(60_000);
    socket.io.happen("reconnect_attempt");
    show("visible");
    expect(socket.connects).toBe(0);
  });
});

describe("a connection in name only", () => {
  it("is found out when the page comes back, from sleep or from the back/forward cache", async () => {
    const comings = [() => show("visible"), () => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }))];
    for (const come of comings) {
      socket.join();
      const before = socket.connects;
      come();
      expect(socket.asked.at(-1)).toBe("heartbeat");
      await vi.advanceTimersByTimeAsync(10_000);
      expect(socket.connects).toBe(before + 1);
    }
    expect(lost).toBe(2);
  });

  it("is given up when a question goes unanswered and nothing else is heard", async () => {
    socket.join();
    const asking = expect(connection.request("user_message", {})).rejects.toThrow();
    await vi.advanceTimersByTimeAsync(10_000);
    await asking;
    expect([socket.connects, lost]).toEqual([1, 1]);
  });

  it("is none while the server says anything at all", async () => {
    for (const sign of ["packet", "ping"]) {
      socket.join();
      const asking = expect(connection.request("user_message", {})).rejects.toThrow();
      socket.io.happen(sign);
      await vi.advanceTimersByTimeAsync(10_000);
      await asking;
    }
    expect(socket.connects).toBe(0);
  });

  it("is given up when no session comes", () => {
    socket.join();
    vi.advanceTimersByTime(45_000);
    expect(socket.connects).toBe(1);
  });
});

describe("a server that does not want us now", () => {
  it("is left alone for as long as it said in place of a session", () => {
    socket.join();
    socket.happen("server_message", { code: "journal_unavailable", text: "Later.", retry_after: 5 });
    socket.lose("io server disconnect");
    vi.advanceTimersByTime(4_900);
    expect(socket.connects).toBe(0);
    vi.advanceTimersByTime(200);
    expect(socket.connects).toBe(1);
  });

  it("is asked again for ever, more and more rarely, and quickly again after a good while", () => {
    const refuse = (): number => {
      const before = Date.now();
      const { connects } = socket;
      socket.active = false;
      socket.happen("connect_error", Object.assign(new Error("no"), { data: { code: "busy", message: "No." } }));
      while (socket.connects === connects) vi.advanceTimersByTime(100);
      return Date.now() - before;
    };
    const waits = Array.from({ length: 20 }, refuse);
    expect(waits.slice(0, 4)).toEqual([500, 1_000, 2_000, 4_000]);
    expect(waits.at(-1)).toBe(30_000);
    socket.join();
    socket.happen("session", {});
    vi.advanceTimersByTime(60_000);
    socket.lose("transport close");
    expect(refuse()).toBe(500);
  });
});
