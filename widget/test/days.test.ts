import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { dayName, Days, showTime } from "../src/days";
import { speak } from "../src/texts";

/** Noon of a day in the reader's own time zone. */
const noon = (day: number, month = 3): string => new Date(2025, month - 1, day, 12).toISOString();
const NOW = new Date(2025, 2, 14, 9).getTime();

beforeEach(() => speak(["en-GB"]));
afterEach(() => speak([]));

describe("the name of a day", () => {
  it("is a word for today and yesterday, a date for others, with the year of another year", () => {
    expect(dayName(noon(14), NOW)).toBe("today");
    expect(dayName(noon(13), NOW)).toBe("yesterday");
    expect(dayName(noon(12), NOW)).toMatch(/^Wednesday,? 12 March$/);
    expect(dayName(new Date(2023, 4, 4, 12).toISOString(), NOW)).toMatch(/^Thursday,? 4 May 2023$/);
    expect(dayName("no date", NOW)).toBe("");
  });

  it("is in the reader's language", () => {
    speak(["de"]);
    expect(dayName(noon(13), NOW)).toBe("gestern");
    expect(dayName(noon(12), NOW)).toBe("Mittwoch, 12. März");
  });

  it("goes by the calendar and not by hours, also where the clocks change", () => {
    const lastMinute = new Date(2025, 2, 29, 23, 59).toISOString();
    expect(dayName(lastMinute, new Date(2025, 2, 30, 0, 1).getTime())).toBe("yesterday");
    expect(dayName(lastMinute, new Date(2025, 2, 30, 23, 59).getTime())).toBe("yesterday");
  });
});

describe("lines between days", () => {
  const turns = Array.from({ length: 4 }, () => document.createElement("article"));
  const shown = (at: string[], now = NOW, days = new Days()): (string | null)[] =>
    days.between(turns.slice(0, at.length), at, now).map((element) => element.getAttribute("aria-label") ?? "turn");

  it("are not there while all was said today", () => {
    expect(shown([noon(14), noon(14)])).toEqual(["turn", "turn"]);
  });

  it("stand before each day once something older is there", () => {
    expect(shown([noon(12), noon(13), noon(13), noon(14)])).toEqual([
      dayName(noon(12), NOW), "turn", "yesterday", "turn", "turn", "today", "turn",
    ]);
  });

  it("do not go back with a clock, and do not stumble over what is no date", () => {
    expect(shown([noon(13), "?", noon(14), noon(13)])).toEqual(["yesterday", "turn", "turn", "today", "turn", "turn"]);
  });

  it("are the same elements with other words when midnight passes", () => {
    const days = new Days();
    const before = days.between(turns.slice(0, 2), [noon(13), noon(14)], NOW);
    const after = days.between(turns.slice(0, 2), [noon(13), noon(14)], NOW + 864e5);
    expect(after).toEqual(before);
    expect(after.map((element) => element.textContent)).toEqual([dayName(noon(13), NOW + 864e5), "", "yesterday", ""]);
  });
});

it("a time shows the hour, and all of it in its title", () => {
  vi.stubEnv("TZ", "UTC");
  const time = document.createElement("time");
  showTime(time, noon(14));
  expect([time.dateTime, time.textContent, time.title]).toEqual([noon(14), "12:00", "14/03/2025, 12:00:00"]);
  showTime(time, "never");
  expect(time.hidden).toBe(true);
});
