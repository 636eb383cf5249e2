// nats-server, where it is installed: on loopback, in a folder of its own, over its websocket.

import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { run, which } from "../../scripts/steps.mjs";
import { until } from "../../tests/system/harness.mjs";

/** How it is told to write: each name with the lines of its configuration. */
export const settings = {
  "sync_interval: always": "sync_interval: always",
  "its default": "",
};

/** Its path; undefined where it is not installed. */
export const installed = () => which(process.env.NATS_SERVER, "nats-server");

/** Starts it; undefined when its version doesn't know the setting. */
export async function startNatsServer(setting) {
  const folder = await mkdtemp(join(tmpdir(), "neurite-nats-server-"));
  const config = join(folder, "server.conf");
  const [port, websocket] = [await freePort(), await freePort()];
  await writeFile(
    config,
    `host: 127.0.0.1
port: ${port}
websocket { host: 127.0.0.1, port: ${websocket}, no_tls: true }
jetstream { store_dir: "${folder}", ${settings[setting]} }
`,
  );
  const remove = () => rm(folder, { recursive: true, force: true, maxRetries: 10 });
  const { code } = await run(installed(), ["-t", "-c", config], { check: false });
  if (code !== 0) {
    await remove();
    return undefined;
  }
  const child = spawn(installed(), ["-c", config], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (log += text));
  const close = async () => {
    child.kill();
    await ended;
    await remove();
  };
  await until(() => log.includes("Server is ready"), { timeout: 10_000 }).catch(async (error) => {
    await close();
    throw new Error(log, { cause: error });
  });
  return { url: `ws://127.0.0.1:${websocket}`, close };
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
