/**
 * src/ -> ../static/chat-widget.js (one file, minified) and ../static/chat-widget.licenses.txt.
 * The same lock file gives the same bytes: no dates, no paths, no source map.
 */
import { readFile, readdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, transform } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "../static/chat-widget.js");
const licences = join(here, "../static/chat-widget.licenses.txt");
const target = ["chrome109", "firefox115", "safari16.4"];
const banner = "/*! Assistant chat widget, Apache-2.0. Packages inside: see chat-widget.licenses.txt beside this file. */";

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
  bundle: true,
  minify: true,
  format: "iife",
  platform: "browser",
  target,
  // A host page may be in any encoding, and it decides how the script is read.
  charset: "ascii",
  legalComments: "none",
  banner: { js: banner },
  plugins: [cssText],
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

const parts = await Promise.all(packagesIn(result.metafile).map(licenceOf));
await writeFile(licences, `Packages inside chat-widget.js\n\n${parts.join("\n\n")}`);
const bytes = await readFile(out);
console.log(`static/chat-widget.js: ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzipped; ${parts.length} packages`);
