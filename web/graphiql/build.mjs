// Bundles GraphiQL (React, CodeMirror) into one script and one style sheet that need no network.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

import { build } from "esbuild";

const target = new URL("../../server/assetgraph_server/web/graphiql/", import.meta.url).pathname;

const result = await build({
  entryPoints: { graphiql: "src/main.jsx" },
  outdir: target,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2020",
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
  loader: { ".woff2": "dataurl", ".woff": "dataurl", ".ttf": "dataurl", ".svg": "dataurl" },
  legalComments: "none",
  metafile: true,
});

for (const [file, output] of Object.entries(result.metafile.outputs)) {
  console.log(`${file} ${(output.bytes / 1024).toFixed(0)} KiB`);
}

// Every bundled package's licence travels with the bundle.
const packages = new Set(
  Object.keys(result.metafile.inputs)
    .map((input) => input.match(/^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[0])
    .filter(Boolean),
);
const notices = [...packages].sort().map((folder) => {
  const { name, version, license } = JSON.parse(readFileSync(`${folder}package.json`, "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? readFileSync(folder + file, "utf8").trim() : `License: ${license}`;
  return `${name} ${version}\n\n${text}\n`;
});
writeFileSync(`${target}NOTICES.txt`, notices.join(`\n${"-".repeat(80)}\n\n`));
