// Sets up, builds and serves the demo: in a build of its own, which is quick to make.
//
//   npm start -- [--port N] [--no-open] [--release] [--dev] [--verbose]
//
// --release and --dev take those builds instead.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";

import { build } from "./build.mjs";
import { wwwDir } from "./project.mjs";
import { serve } from "./serve.mjs";
import { setup } from "./setup.mjs";
import { Failure, main } from "./steps.mjs";

// A browser keeps what it stores by host and port, so the port should be the same each time: these
// in turn, then any.
const usualPorts = [8008, 8009, 8010, 8011, 8012, 0];

await main(async () => {
  const { values } = parseArgs({
    options: {
      port: { type: "string" },
      "no-open": { type: "boolean" },
      release: { type: "boolean" },
      dev: { type: "boolean" },
      verbose: { type: "boolean" },
    },
  });
  const ports = values.port === undefined ? usualPorts : [Number(values.port)];
  if (!ports.every((port) => Number.isInteger(port) && port >= 0 && port < 65536)) {
    throw new Failure(`--port ${values.port}: not a port`);
  }
  const kind = values.release ? "release" : values.dev ? "dev" : "demo";
  if (kind === "demo" && !existsSync(wwwDir)) {
    console.log("The first start installs and builds everything: about 5 minutes on 2 cores.");
  }
  await setup();
  await build(kind);
  const { url } = await serve(wwwDir, { ports }).catch((error) => {
    throw new Failure(`The server can't listen: ${error.message}`);
  });
  console.log(`Neurite demo: ${url}`);
  if (!values["no-open"]) openInBrowser(url);
});

/** Best effort: the address has been printed. */
function openInBrowser(url) {
  const { DISPLAY, WAYLAND_DISPLAY } = process.env;
  const command = { darwin: "open", linux: "xdg-open", win32: "explorer" }[process.platform];
  if (!command || (process.platform === "linux" && !DISPLAY && !WAYLAND_DISPLAY)) return;
  spawn(command, [url], { stdio: "ignore", detached: true })
    .on("error", () => {})
    .unref();
}
