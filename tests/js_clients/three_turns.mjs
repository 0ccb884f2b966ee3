// Three turns with one Socket.IO client: node three_turns.mjs PACKAGE URL TRANSPORT
// Prints one JSON line: [{state, text, seq, pieces: [{seq, text}]}, …], pieces in the order in which they came.
import { createRequire } from "node:module";

const [name, url, transport] = process.argv.slice(2);
const { io } = createRequire(import.meta.url)(name);
const socket = io(`${url}/chat`, { transports: [transport], reconnection: false, auth: { protocol: 1 } });
const texts = ["What is this?", "How do I embed it?", "And now?"];
const turns = [];
const pieces = new Map();

function fail(error) {
  console.error(error);
  process.exit(1);
}

function ask() {
  const text = texts[turns.length];
  if (text === undefined) {
    console.log(JSON.stringify(turns));
    socket.disconnect();
    return;
  }
  socket.emit("user_message", { text, client_id: `turn-${turns.length}` }, (answer) => {
    if (!answer.ok) fail(answer);
  });
}

socket.on("connect_error", fail);
socket.on("session", ask);
socket.on("assistant_message", ({ turn_id, seq, text }) => {
  pieces.set(turn_id, [...(pieces.get(turn_id) ?? []), { seq, text }]);
});
socket.on("turn_finished", ({ turn_id, state, text, seq }) => {
  turns.push({ state, text, seq, pieces: pieces.get(turn_id) ?? [] });
  ask();
});
setTimeout(() => fail("not finished in time"), 30_000).unref();
