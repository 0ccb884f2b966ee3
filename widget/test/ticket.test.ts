import { afterEach, describe, expect, it, vi } from "vitest";
import { newId } from "../src/identifier";
import { TicketBox } from "../src/ticket";

const TICKET = { token: "t", conversation: "c" };

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  localStorage.clear();
});

describe("a ticket", () => {
  it("outlives the page and belongs to one server", () => {
    new TicketBox("https://a.example/").write(TICKET);
    expect(new TicketBox("https://a.example/").read()).toEqual(TICKET);
    expect(new TicketBox("https://b.example/").read()).toBeNull();
  });

  it("is kept in memory when storage throws", () => {
    vi.stubGlobal("localStorage", new Proxy({}, { get: () => { throw new Error("denied"); } }));
    const box = new TicketBox("https://a.example/");
    expect(box.read()).toBeNull();
    box.write(TICKET);
    expect(box.read()).toEqual(TICKET);
  });

  it("that is not ours is ignored", () => {
    for (const value of ["not json", "null", "[]", '{"token":1}']) {
      localStorage.setItem("assistant-chat:https://a.example/", value);
      expect(new TicketBox("https://a.example/").read()).toBeNull();
    }
  });
});

describe("an identifier", () => {
  const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

  it("is a UUID, also where randomUUID does not exist", () => {
    expect(newId()).toMatch(UUID4);
    vi.stubGlobal("crypto", { getRandomValues: (bytes: Uint8Array) => bytes.fill(255) });
    expect(newId()).toMatch(UUID4);
  });
});
