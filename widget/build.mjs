/**
 * src/ -> ../static/chat-widget.js (one file, minified) and ../static/chat-widget.licenses.txt.
 * The same lock file gives the same bytes: no dates, no paths, no source map.
 */
import { readFile, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, transform } from "esbuild";
import { minify } from "terser";
import { forEsbuild as dictionaries } from "./dictionaries.mjs";
import { forEsbuild as unused } from "./unused.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "../static/chat-widget.js");
const licences = join(here, "../static/chat-widget.licenses.txt");
const target = ["chrome109", "firefox115", "safari16.4"];
/** First, so that it decides about the file's encoding: a host page may be in any other. */
const BOM = "\uFEFF";
const banner = "/*! Assistant chat widget, Apache-2.0. Packages inside: see chat-widget.licenses.txt beside this file. */";

const CHANGED = "They are changed: parts that the widget never uses are left out, and one fault is mended (widget/unused.mjs in the sources).";

/** CSS as minified text. */
const cssText = {
  name: "css-text",
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), { loader: "css", minify: true, target });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

const result = await build({
  absWorkingDir: here,
  entryPoints: ["src/main.ts"],
  outfile: out,
  write: false,
  bundle: true,
  minify: true,
  format: "iife",
  platform: "browser",
  target,
  charset: "utf8",
  legalComments: "none",
  plugins: [cssText, dictionaries, unused],
  metafile: true,
  logLevel: "warning",
});

/** The packages of which at least one byte is in the bundle, by name. */
function packagesIn(metafile) {
  const names = new Set();
  for (const { inputs } of Object.values(metafile.outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const name = path.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1];
      if (name && bytesInOutput > 0) names.add(name);
    }
  }
  return [...names].sort();
}

async function licenceOf(name) {
  const folder = join(here, "node_modules", name);
  const { version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const files = (await readdir(folder)).filter((file) => /^licen[cs]e/i.test(file)).sort();
  const text = files[0] ? (await readFile(join(folder, files[0]), "utf8")).replace(/\r\n/g, "\n").trim() : "";
  return `${name} ${version} (${license})\n${"-".repeat(72)}\n${text}\n`;
}

// What esbuild leaves, a second minifier makes smaller by three per cent; "_name" is private to whoever says it.
const { code } = await minify(result.outputFiles[0].text, {
  ecma: 2020,
  compress: { passes: 3 },
  mangle: { properties: { regex: /^_[a-z]/ } },
  format: { comments: false, preamble: banner },
});
await writeFile(out, BOM + code);

const parts = await Promise.all(packagesIn(result.metafile).map(licenceOf));
await writeFile(licences, `Packages inside chat-widget.js\n\n${CHANGED}\n\n${parts.join("\n\n")}`);
const bytes = await readFile(out);
console.log(`static/chat-widget.js: ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzipped; ${parts.length} packages`);
