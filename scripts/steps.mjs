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

/** Runs `work` as one step: prints its name, then its outcome and time on the same line. */
export async function step(name, work) {
  const start = performance.now();
  process.stdout.write(`${name} … ${options.verbose ? "\n" : ""}`);
  try {
    const result = await work();
    process.stdout.write(`${typeof result === "string" ? `${result}, ` : ""}${seconds(start)}\n`);
    return result;
  } catch (error) {
    process.stdout.write(`failed after ${seconds(start)}\n`);
    throw error;
  }
}

/**
 * Runs a command in the project's folder and resolves to what it printed (both streams, in order).
 * `onLine` is given each line as it comes; otherwise its output is shown only if it fails.
 * With `check: false` a failing command resolves too, to `{ code, output }`.
 */
export function run(command, args = [], { env = {}, check = true, onLine, cwd = root } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...environment, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let partial = "";
    const take = (chunk) => {
      output += chunk;
      if (options.verbose && !onLine) process.stdout.write(chunk);
      if (!onLine) return;
      const lines = (partial + chunk).split("\n");
      partial = lines.pop();
      lines.forEach(onLine);
    };
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    child.on("error", (error) => {
      if (check) reject(new Failure(`${command}: ${error.message}`));
      else resolve({ code: -1, output: error.message });
    });
    child.on("close", (code, signal) => {
      if (onLine && partial) onLine(partial);
      if (!check) return resolve({ code: code ?? signal, output });
      if (code === 0) return resolve(output);
      const shown = onLine || options.verbose ? "" : `\n${output.trimEnd()}`;
      reject(new Failure(`${command} ${args.join(" ")} ended with ${code ?? signal}${shown}`));
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
