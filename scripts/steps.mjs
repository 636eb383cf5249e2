// Steps: one line each, saying what is done and how long it took; and the commands they run.

import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

import { environment, root } from "./project.mjs";

/** An error whose message is for the person at the terminal: no stack is shown. */
export class Failure extends Error {}

/** `verbose` shows what the commands of the steps print, also when they succeed. */
export const options = { verbose: process.argv.includes("--verbose") };

const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/**
 * Runs `work` as one step: prints its name, then its time on the same line, and before that what
 * `work` tells about its outcome by the function it is given.
 */
export async function step(name, work) {
  const start = performance.now();
  process.stdout.write(`${name} … ${options.verbose ? "\n" : ""}`);
  let outcome = "";
  const tell = (text) => (outcome = `${text}, `);
  try {
    const result = await work(tell);
    process.stdout.write(`${outcome}${seconds(start)}\n`);
    return result;
  } catch (error) {
    process.stdout.write(`failed after ${seconds(start)}\n`);
    throw error;
  }
}

/**
 * Runs a command in the project's folder and resolves to what it printed on both streams, in order;
 * that is shown only if it fails. With `check: false` a failing command resolves as well, and what
 * comes is `{ code, output }`.
 */
export function run(command, args = [], { env = {}, check = true } = {}) {
  return new Promise((resolve, reject) => {
    // By way of a shell, so that both streams are one pipe and what they say keeps its order.
    const child = spawn("sh", ["-c", 'exec "$@" 2>&1', "sh", command, ...args], {
      cwd: root,
      env: { ...environment, ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      output += chunk;
      if (options.verbose) process.stdout.write(chunk);
    });
    child.on("error", reject);
    child.on("close", (status, signal) => {
      const code = status ?? signal;
      if (!check) resolve({ code, output });
      else if (code === 0) resolve(output);
      else {
        const shown = options.verbose ? "" : `\n${output.trimEnd()}`;
        reject(new Failure(`${command} ${args.join(" ")} ended with ${code}${shown}`));
      }
    });
  });
}

/** The path of the first of `names` that can be executed, or undefined. */
export function which(...names) {
  for (const name of names.filter(Boolean)) {
    const places = name.includes("/") ? [""] : environment.PATH.split(delimiter);
    for (const place of places) {
      const path = place ? join(place, name) : name;
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not there: look on.
      }
    }
  }
  return undefined;
}

/** Runs a script's main function; a Failure is told in its own words, anything else with a stack. */
export async function main(work) {
  try {
    await work();
  } catch (error) {
    console.error(error instanceof Failure ? `\n${error.message}` : error);
    process.exitCode = 1;
  }
}
