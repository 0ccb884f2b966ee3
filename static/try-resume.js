/**
 * The panel of /try/resume: cuts the widget's real connections, and counts what the widget really shows.
 *
 * It is loaded before the widget and puts its own classes in the place of WebSocket and XMLHttpRequest. The widget
 * knows nothing of it. What is judged is the text in the widget's shadow root, not what came over the wire.
 */

const TOTAL = 300;
const ASKED = /\bcount (?:up )?to (\d{1,9})/i;
/** The demo counts no further. */
const MOST = 2000;
const CELLS = 300;
const TICK_MS = 100;
const AWAY_MS = 5_000;
/** So long a connection stands before "ten times" cuts it again. */
const STANDS_MS = 250;
const NAMED = 5;
const STORE = "try-resume";

const page = Object.fromEntries([...document.querySelectorAll(".panel [id]")].map((element) => [element.id, element]));
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// The wire: every connection that the widget makes, how to cut it, and what comes out of it.

/** Functions that each cut one connection. */
const connections = new Set();
/** turn -> the pieces that came as they were made: their numbers on the wire, and the numbers in their texts. */
const received = new Map();
/** When the server last greeted us; 0 while there is no connection. */
let greetedAt = 0;
let away = false;

class WatchedSocket extends WebSocket {
  constructor(address, protocols) {
    super(address, protocols);
    const cut = () => this.close();
    connections.add(cut);
    this.addEventListener("message", ({ data }) => hear(data));
    this.addEventListener("close", () => connections.delete(cut));
    if (away) cut();
  }
}

/** Long polling, which the widget turns to when no websocket can be opened. */
class WatchedRequest extends XMLHttpRequest {
  send(body) {
    const cut = () => this.abort();
    connections.add(cut);
    this.addEventListener("load", () => this.responseText.split("\x1e").forEach(hear));
    this.addEventListener("loadend", () => connections.delete(cut));
    super.send(body);
    if (away) cut();
  }
}

window.WebSocket = WatchedSocket;
window.XMLHttpRequest = WatchedRequest;

/** One packet: "42" is an event of Socket.IO. */
function hear(packet) {
  const prefix = "42/chat,";
  if (typeof packet !== "string" || !packet.startsWith(`${prefix}[`)) return;
  const [event, payload] = JSON.parse(packet.slice(prefix.length));
  if (event === "session") greeted();
  if (event === "assistant_message") keepPiece(payload);
}

function keepPiece({ turn_id, seq, text }) {
  if (!received.has(turn_id)) received.set(turn_id, { pieces: new Set(), numbers: new Set() });
  const { pieces, numbers } = received.get(turn_id);
  pieces.add(seq);
  for (const number of numbersOf(text)) numbers.add(number);
}

function greeted() {
  greetedAt = Date.now();
  tally.survived += tally.pending;
  tally.pending = 0;
}

function cut() {
  if (greetedAt) tally.pending += 1;
  greetedAt = 0;
  for (const end of connections) end();
}

async function cutTenTimes() {
  for (let left = 10; left > 0; await sleep(TICK_MS)) {
    page.ten.textContent = `Cutting… ${left} to go`;
    if (!greetedAt || Date.now() - greetedAt < STANDS_MS) continue;
    cut();
    left -= 1;
  }
}

async function takeAway() {
  page.away.textContent = "The network is away…";
  away = true;
  cut();
  // A browser says both when it happens, and the widget listens to the second.
  dispatchEvent(new Event("offline"));
  await sleep(AWAY_MS);
  away = false;
  dispatchEvent(new Event("online"));
}

// The tally of cuts of one answer. It outlives a reload, which is a cut as well; a second tab has its own.

const tally = { turn: "", survived: 0, pending: 0, ...kept() };

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(STORE) ?? "{}");
  } catch {
    return {}; // Forbidden storage: then a reload begins the tally anew.
  }
}

function keep() {
  if (seen.running) tally.pending += 1;
  try {
    sessionStorage.setItem(STORE, JSON.stringify(tally));
  } catch {
    // As above.
  }
}

// What the widget shows.

const chat = () => document.querySelector("assistant-chat")?.shadowRoot;
const input = () => chat()?.querySelector("[data-test=input]");
const online = () => chat()?.querySelector("[data-test=connection]")?.dataset.state === "online";

/** The last turn that asks for a count. */
function counted() {
  for (const turn of [...(chat()?.querySelectorAll("[data-test=turn]") ?? [])].reverse()) {
    const asked = ASKED.exec(turn.querySelector("[data-test=question]")?.textContent ?? "");
    if (asked) return { turn, total: Math.max(1, Math.min(Number(asked[1]), MOST)) };
  }
  return { turn: null, total: TOTAL };
}

/** Text node by text node, because a line break has no text. */
function textOf(element) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode.data);
  return texts.join(" ");
}

function numbersOf(text) {
  return (text.match(/\d+/g) ?? []).map(Number);
}

/** `lost`: what is missing below the highest, or up to `total` once the answer is whole. */
function judge(numbers, total, whole) {
  const there = new Set(numbers);
  const doubled = [];
  let highest = 0;
  for (const number of numbers) {
    if (number > highest && number <= total) highest = number;
    else doubled.push(number);
  }
  const lost = [];
  for (let number = 1; number <= (whole ? total : highest); number++) if (!there.has(number)) lost.push(number);
  return { there, lost, doubled, highest };
}

function look() {
  const { turn, total } = counted();
  const { turnId = "", state = "" } = turn?.dataset ?? {};
  const answer = turn?.querySelector("[data-test=answer]");
  const running = ["sending", "waiting", "offline", "queued", "running"].includes(state);
  const numbers = answer ? numbersOf(textOf(answer)) : [];
  return { turn, turnId, state, total, running, ...judge(numbers, total, state === "complete") };
}

// The panel.

let seen = look();

function tick() {
  seen = look();
  if (seen.turnId && seen.turnId !== tally.turn) Object.assign(tally, { turn: seen.turnId, survived: 0, pending: 0 });
  page.start.disabled = seen.running || !input();
  showFigures();
  showCells();
  const { verdict, words } = verdictOf(seen);
  page.result.dataset.verdict = verdict;
  write(page.verdict, words);
  write(page.remark, remarkOf(seen));
}

function showFigures() {
  const { turnId, there, lost, doubled, total } = seen;
  const { pieces, numbers } = received.get(turnId) ?? { pieces: new Set(), numbers: new Set() };
  const live = [...there].filter((number) => numbers.has(number)).length;
  const figures = { shown: there.size, total, lost: lost.length, doubled: doubled.length };
  Object.assign(figures, { live, fetched: there.size - live, cuts: tally.survived, pieces: pieces.size });
  for (const [name, figure] of Object.entries(figures)) write(page[name], String(figure));
  page.lost.classList.toggle("bad", lost.length > 0);
  page.doubled.classList.toggle("bad", doubled.length > 0);
}

/** A small square for each number; for several of them when they are many. */
function showCells() {
  const per = Math.ceil(seen.total / CELLS);
  const count = Math.ceil(seen.total / per);
  while (page.cells.children.length > count) page.cells.lastChild.remove();
  while (page.cells.children.length < count) page.cells.append(document.createElement("i"));
  const kinds = Array(count).fill("");
  const live = received.get(seen.turnId)?.numbers;
  const mark = (numbers, kind) => numbers.forEach((number) => (kinds[Math.ceil(number / per) - 1] = kind));
  const shown = [...seen.there].filter((number) => number >= 1 && number <= seen.total);
  mark(shown.filter((number) => live?.has(number)), "live");
  mark(shown.filter((number) => !live?.has(number)), "fetched");
  mark([...seen.lost, ...seen.doubled].filter((number) => number >= 1 && number <= seen.total), "bad");
  kinds.forEach((kind, index) => {
    if (page.cells.children[index].className !== kind) page.cells.children[index].className = kind;
  });
}

function verdictOf({ turn, running, lost, doubled }) {
  if (!turn) return { verdict: "none", words: "Nothing counted yet" };
  const faults = [];
  if (lost.length) faults.push(`Lost: ${named(lost)}`);
  if (doubled.length) faults.push(`Doubled: ${named(doubled)}`);
  if (faults.length) return { verdict: "bad", words: faults.join(". ") };
  return { verdict: "good", words: running ? "Nothing lost or doubled so far" : "Nothing lost, nothing doubled" };
}

function named(numbers) {
  const rest = numbers.length > NAMED ? ` and ${numbers.length - NAMED} more` : "";
  return `number${numbers.length > 1 ? "s" : ""} ${numbers.slice(0, NAMED).join(", ")}${rest}`;
}

function remarkOf({ turn, state, running, lost, doubled, highest, total }) {
  if (!turn) return "Press Start.";
  if (!online()) return running ? "Cut. The server goes on counting meanwhile." : "The connection is cut.";
  if (running) return "Counting. Cut it now.";
  if (lost.length || doubled.length) return "That must not happen. Please report it.";
  const cuts = tally.survived ? `, after ${tally.survived} ${tally.survived === 1 ? "cut" : "cuts"}` : "";
  if (state === "complete") return `All ${total} numbers, each once${cuts}.`;
  return `The answer ended at ${highest}: ${state}.`;
}

/** Only a change is written: the verdict is a live region. */
function write(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

// The buttons.

/** As a visitor would: types into the chat and sends. */
function start() {
  const field = input();
  field.value = `Count to ${TOTAL}`;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.form.requestSubmit();
  page.cut.focus({ preventScroll: true });
  tick();
}

/** Not pressed again before it is done. */
function once(button, work) {
  const words = button.textContent;
  button.addEventListener("click", async () => {
    button.disabled = true;
    await work();
    button.disabled = false;
    button.textContent = words;
  });
}

page.start.addEventListener("click", start);
page.cut.addEventListener("click", cut);
once(page.ten, cutTenTimes);
once(page.away, takeAway);
page.reload.addEventListener("click", () => location.reload());
page.tab.addEventListener("click", () => open(location.href, "_blank", "noopener"));
addEventListener("pagehide", keep);
setInterval(tick, TICK_MS);
tick();
