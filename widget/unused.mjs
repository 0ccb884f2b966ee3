/**
 * Parts of packages that the widget never uses, and what stands in their place: 6 kB gzipped in all; and one fault of a
 * package, mended. For the build, and for the tests, which attack and use what is left. A package that has changed its
 * shape stops the build.
 */
import { readFile } from "node:fs/promises";

/** Tags and attributes of HTML, SVG and MathML: 2.4 kB of names. */
const NAMES = /^const (?:html|svg|mathMl|xml)(?:\$1|Filters|Disallowed)? = freeze\(\[[^\]]*\]\);$/gm;
/** The class for extensions with its one instance; the lexer, the parser and the renderer come before it. */
const EXTENSIONS = /var [\w$]+=class\{defaults=.*?;export\{([^}]*)\};/s;

/**
 * DOMPurify without its lists of names. sanitise.ts always brings its own list of what is allowed, so these are never
 * asked, except to tell which elements may stand in SVG and in MathML: now none, and none of those was allowed before.
 */
function withoutNames(source) {
  const found = source.match(NAMES)?.length;
  if (found !== 10) throw new Error(`DOMPurify has changed: ${found} lists of names, not 10`);
  return source.replace(NAMES, (list) => list.replace(/\[[^\]]*\]/, "[]"));
}

/** marked's lexer, parser and renderer, which is all that the widget takes. */
function withoutExtensions(source) {
  const used = /\b[\w$]+ as (?:Lexer|Parser|Renderer)\b/g;
  const names = EXTENSIONS.exec(source)?.[1].match(used) ?? [];
  if (names.length !== 3) throw new Error("marked has changed: what is left would not be whole");
  const given = names.map((name) => name.replace(/(.*) as (.*)/, "$2: $1"));
  return source.replace(EXTENSIONS, `return { ${given} };`).replaceAll("this.options.extensions", "null");
}

/**
 * marked, whose last line is `return { Lexer: …, Parser: …, Renderer: … };`, made at the first need: its rules, many of
 * them over all of Unicode, took a third of what the script costs every page that has the chat, opened or not.
 */
function whenNeeded(source) {
  return `
    let made;
    const marked = () => (made ??= (() => {
      ${source}
    })());
    const lazy = (name) => new Proxy(function () {}, {
      construct: (_, given) => new (marked()[name])(...given),
      get: (_, key) => marked()[name][key],
    });
    export const Lexer = lazy("Lexer"), Parser = lazy("Parser"), Renderer = lazy("Renderer");`;
}

/** Without the Markdown of 2004, for which marked has two sets of rules, and whoever asks whether they are wanted. */
function withoutPedantry(source) {
  const sets = [...source.matchAll(/,pedantic:([\w$]+)\}/g)];
  if (sets.length !== 2) throw new Error(`marked has changed: ${sets.length} sets of pedantic rules, not 2`);
  let left = source.replaceAll("this.options.pedantic", "!1");
  for (const [last, name] of sets) {
    const set = new RegExp(`,${name}=\\{\\.{3}.*?\\.getRegex\\(\\)\\}(?=,[\\w$]+=[/{])`, "s");
    if (!set.test(left)) throw new Error("marked has changed: a set of its pedantic rules is not found");
    left = left.replace(set, "").replace(last, "}");
  }
  return left;
}

/**
 * Listening before it opens. Where a page's policy forbids web sockets, Firefox says so while one is being made: nobody
 * heard of it, and polling was never tried.
 */
function hearingAtOnce(source) {
  const order = /(transport\.open\(\);)(\s*)(this\.setTransport\(transport\);)/;
  if (!order.test(source)) throw new Error("engine.io-client has changed: look whether it listens before it opens");
  return source.replace(order, "$3$2$1");
}

/** socket.io-client without listeners for every event, whatever its name, and without sending again by itself. */
function withoutExtras(source) {
  const methods = /^ {4}(?:(?:on|prepend|off|listeners)Any(?:Outgoing)?|notifyOutgoingListeners|_addToQueue|_drainQueue)\(.*?^ {4}\}$/gms;
  const asked = /^ {8}if \(this\.(?:_anyListeners &&|_opts\.retries &&).*?^ {8}\}$|^ {8,12}this\.(?:notifyOutgoingListeners|_drainQueue)\(\w+\);$/gms;
  const found = [methods, asked].map((parts) => source.match(parts)?.length);
  if (found.join() !== "11,5") throw new Error(`socket.io-client has changed: ${found} of its extras, not 11,5`);
  return source.replace(methods, "").replace(asked, "");
}

/** By the end of a file's name. */
const CHANGED = {
  "engine.io-client/build/esm/socket.js": hearingAtOnce,
  "socket.io-client/build/esm/socket.js": withoutExtras,
  "dompurify/dist/purify.es.mjs": withoutNames,
  "marked/lib/marked.esm.js": (source) => whenNeeded(withoutPedantry(withoutExtensions(source))),
};

/** By the end of a file's name, for the build only: the tests play the server above all of this. */
const REPLACED = {
  // Transports are websocket and polling.
  "engine.io-client/build/esm/transports/webtransport.js": "export class WT {}",
  // Every payload is JSON.
  "socket.io-parser/build/esm/is-binary.js": "export const isBinary = () => false, hasBinary = () => false;",
  "socket.io-parser/build/esm/binary.js": "export const deconstructPacket = 0, reconstructPacket = 0;",
  "engine.io-parser/build/esm/contrib/base64-arraybuffer.js": "export const decode = () => new ArrayBuffer(0);",
  "engine.io-parser/build/esm/encodePacket.browser.js": `
    import { PACKET_TYPES } from "./commons.js";
    export const encodePacket = ({ type, data }, _, done) => done(PACKET_TYPES[type] + (data || "")), encodePacketToBinary = 0;`,
  // Addresses are whole ones, and every browser of ours can take them apart.
  "engine.io-client/build/esm/contrib/parseuri.js": `
    export function parse(source) {
      const { protocol, hostname, port, pathname, search } = new URL(source);
      const host = hostname.replace(/[[\\]]/g, "");
      return { source, protocol: protocol.slice(0, -1), host, port, path: pathname, query: search.slice(1) };
    }`,
};

function entryOf(table, path) {
  const end = Object.keys(table).find((end) => path.replaceAll("\\", "/").endsWith(end));
  return end && table[end];
}

async function changed(path) {
  const change = entryOf(CHANGED, path);
  return change && change(await readFile(path, "utf8"));
}

export const forEsbuild = {
  name: "unused",
  setup({ onLoad }) {
    onLoad({ filter: /node_modules/ }, async ({ path }) => {
      const contents = entryOf(REPLACED, path) ?? (await changed(path));
      return contents ? { contents, loader: "js" } : undefined;
    });
  },
};

export const forVite = {
  name: "unused",
  enforce: "pre",
  load: (id) => changed(id.split("?")[0]),
};
