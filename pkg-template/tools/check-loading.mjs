// Loads the package's files where there is no document, no window and no network, as a server that
// renders pages does. Loading must name the two classes and touch nothing.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const folder = process.argv[2];
globalThis.fetch = () => { throw new Error("the network was touched"); };
WebAssembly.Module = class { constructor() { throw new Error("the module was compiled too early"); } };

const module = await import(pathToFileURL(join(folder, "index.js")));
check("index.js", module.VideoRTC, module.VideoRTCError);
if (module.default !== module.VideoRTC) throw new Error("index.js: the default export is another");

for (const file of ["videortc.js", "videortc.min.js"]) {
  const text = readFileSync(join(folder, file), "utf8");
  check(file, ...new Function(`${text}; return [VideoRTC, VideoRTCError];`)());
}

function check(file, VideoRTC, VideoRTCError) {
  if (typeof VideoRTC !== "function") throw new Error(`${file}: no class VideoRTC`);
  if (!(VideoRTCError?.prototype instanceof Error)) throw new Error(`${file}: no class VideoRTCError`);
}
