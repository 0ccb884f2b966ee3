import { describe, expect, it } from "vitest";
import { suffixOf } from "../src/usertoken";
import { userToken } from "./samples";

describe("whose a user token is", () => {
  it("is nobody's without one", () => {
    expect(suffixOf(null)).toBe("");
  });

  it("does not change with a fresh token of the same user, and does with the user", () => {
    const first = suffixOf(userToken("ann@example.com", 1));
    expect(suffixOf(userToken("ann@example.com", 2))).toBe(first);
    expect(suffixOf(userToken("ben@example.com", 1))).not.toBe(first);
    // Sums of the letters are the same here.
    expect(suffixOf(userToken("Aa"))).not.toBe(suffixOf(userToken("BB")));
  });

  it("does not tell who it is", () => {
    expect(suffixOf(userToken("ann@example.com"))).toMatch(/^:user:[0-9a-z]{1,7}$/);
  });

  it.each(["", "no token", "a.b.c", "..", "a.bnVsbA.c"])("is told of anything: %o", (wrong) => {
    expect(suffixOf(wrong)).toMatch(/^:user:/);
  });
});
