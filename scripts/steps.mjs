// Steps: what is being done, how far it is and how long it took; and the commands they run.

import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

import { environment, root } from "./project.mjs";

/** An error whose message is for the person at the terminal: no stack is shown. */
export class Failure extends Error {}

/** `verbose` shows what the commands of the steps print, also when they succeed. */
export const options = { verbose: process.argv.includes("--verbose") };

/** The steps that are going on, the first one begun first. */
const steps = new Set();

/** The step that a command belongs to, so that its progress is shown with the right one. */
const current = new AsyncLocalStorage();

const children = new Set();

// On a terminal one line, rewritten all the time, has the steps that are going on. Elsewhere each
// is announced, and a long one is heard of now and then.
const rewrites = process.stdout.isTTY && !options.verbose;
const interval = rewrites ? 500 : 30_000;
let timer;

/**
 * Runs `work` as one step, beside those that are going on already: shows its name, how far it is,
 * and in the end its time, with what `work` tells about its outcome by the function it is given.
 * `takes` says how long to expect, where that is long.
 */
export async function step(name, work, { takes } = {}) {
  const title = takes ? `${name} (about ${takes})` : name;
  const state = { title, start: performance.now(), progress: "" };
  begin(state);
  let outcome = "";
  const tell = (text) => (outcome = `${text}, `);
  try {
    const result = await current.run(state, work, tell);
    end(state, `${name}: ${outcome}${elapsed(state)}`);
    return result;
  } catch (error) {
    end(state, `${name}: failed after ${elapsed(state)}`);
    throw error;
  }
}

/** Shows how far the current step is, where its work can tell. */
export function progress(text) {
  const state = current.getStore();
  if (state) state.progress = text;
}

function begin(state) {
  steps.add(state);
  timer ??= setInterval(showProgress, interval);
  if (rewrites) showProgress();
  else console.log(`${state.title} …`);
}

function end(state, line) {
  steps.delete(state);
  process.stdout.write(`${rewrites ? clearLine : ""}${line}\n`);
  if (steps.size === 0) {
    clearInterval(timer);
    timer = undefined;
  } else if (rewrites) {
    showProgress();
  }
}

const clearLine = "\r\x1b[K";

function showProgress() {
  const line = [...steps]
    .map((state) => `${state.title} … ${[state.progress, elapsed(state)].filter(Boolean).join(", ")}`)
    .join("; ");
  if (rewrites) process.stdout.write(clearLine + line.slice(0, process.stdout.columns - 1));
  else console.log(line);
}

function elapsed({ start }) {
  const seconds = Math.round((performance.now() - start) / 100) / 10;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
}

/**
 * Runs a command in the project's folder and resolves to what it printed on both streams, in order;
 * that is shown only if it fails. With `check: false` a failing command resolves as well, and what
 * comes is `{ code, output }`. `onLine` hears each line as it is printed.
 */
export function run(command, args = [], { env = {}, check = true, onLine } = {}) {
  const state = current.getStore();
  // In the step of whoever runs the command.
  const hear = onLine && AsyncResource.bind(onLine);
  return new Promise((resolve, reject) => {
    // By way of a shell, so that both streams are one pipe and what they say keeps its order.
    const child = spawn("sh", ["-c", 'exec "$@" 2>&1', "sh", command, ...args], {
      cwd: root,
      env: { ...environment, ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.add(child);
    let output = "";
    let line = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      if (options.verbose) process.stdout.write(chunk);
      const lines = (line + chunk).split(/(?<=[\r\n])/);
      line = /[\r\n]$/.test(chunk) ? "" : lines.pop();
      for (const line of lines.filter((line) => !isBar(line, state))) {
        output += line;
        hear?.(line);
      }
    });
    child.on("error", reject);
    child.on("close", (status, signal) => {
      children.delete(child);
      output += line;
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

/** Whether `line` is cargo's progress bar, which it ends with \r; its count goes to the step. */
function isBar(line, state) {
  const [bar, done, all] = line.match(/^ +Building \[[=> ]*\] (\d+)\/(\d+).*\r$/) ?? [];
  if (bar && state) state.progress = `${done} of ${all} crates`;
  return Boolean(bar);
}

/** Does `work` for each of `items`, `width` at a time and in their order. */
export async function manyAtATime(width, items, work) {
  const left = [...items];
  const lane = async () => {
    while (left.length) await work(left.shift());
  };
  await Promise.all(Array.from({ length: width }, lane));
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
    // What goes on beside the step that failed would only be waited for.
    for (const child of children) child.kill();
    console.error(error instanceof Failure ? `\n${error.message}` : error);
    process.exitCode = 1;
  }
}
