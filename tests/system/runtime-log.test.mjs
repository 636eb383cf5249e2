// The log: on the worker's console, to the pages that want it, and on the performance timeline.

import assert from "node:assert/strict";
import { test } from "node:test";

import { distDir } from "../../scripts/project.mjs";
import { inEachBrowser, until, withBrowser } from "./harness.mjs";
import { folder } from "./runtime/pages.mjs";

/**
 * Opens a page that starts the homeserver with this option `log`, and a callback when `heard`. What
 * comes is in `records` there, and in `told` what the worker writes.
 */
async function open(browser, origin, log, heard = false) {
  const page = await browser.open(`${origin}/blank.html`);
  await page.evaluate(
    async (log, heard) => {
      globalThis.records = [];
      globalThis.told = [];
      new BroadcastChannel("telling").onmessage = ({ data }) => told.push(data);
      const { start } = await import("/index.js");
      const to = (record) => records.push(record);
      globalThis.neurite = await start({
        log: heard ? { ...log, to } : log,
        rateLimits: "off",
        serviceWorker: false,
        workerUrl: "/telling-worker.js",
      });
    },
    log,
    heard,
  );
  return page;
}

/** Sends JSON to the page's homeserver; resolves to what it answers. */
const send = (page, method, path, body, token) =>
  page.evaluate(
    async (method, path, body, token) => {
      const headers = token ? { authorization: `Bearer ${token}` } : {};
      const init = { method, headers, body: body && JSON.stringify(body) };
      return (await neurite.fetch(`/_matrix/client${path}`, init)).json();
    },
    method,
    path,
    body,
    token,
  );

const register = (page, username) =>
  send(page, "POST", "/v3/register", { username, password: "word", auth: { type: "m.login.dummy" } });

/** Does what is logged as a warning. */
const report = (page, { user_id: user, access_token: token }, reason) =>
  send(page, "POST", `/v3/users/${encodeURIComponent(user)}/report`, { reason }, token);

const records = (page) => page.evaluate(() => records);
const told = (page) => page.evaluate(() => told);
/** Resolves when what came last to `read` has this in it. */
const comes = (page, read, text) =>
  until(async () => JSON.stringify((await read(page)).at(-1) ?? "").includes(text));

inEachBrowser((name) => {
  const inBrowser = (work) => withBrowser(name, work, { folder: [...folder, distDir] });

  test(`${name}: warnings are on the worker's console unless they are off`, () =>
    inBrowser(async (browser, origin) => {
      const page = await open(browser, origin);
      const alice = await register(page, "alice");
      await report(page, alice, "first");
      await comes(page, told, "first");
      const text = `Neurite client_api: ${alice.user_id} reports ${alice.user_id}: "first"`;
      assert.deepEqual(await told(page), [{ level: "warn", text }]);
      await page.evaluate(() => neurite.stop());
      const quiet = await open(browser, origin, "off");
      await report(quiet, alice, "second");
      await quiet.evaluate(() => neurite.stop());
      const loud = await open(browser, origin, { levels: { default: "error", client_api: "warn", http: "debug" } });
      await report(loud, alice, "third");
      for (const page of [quiet, loud]) await comes(page, told, "status=200");
      assert.deepEqual(await told(quiet), await told(loud));
      assert.deepEqual(
        (await told(loud)).map(({ level }) => level),
        ["warn", "debug"],
      );
    }));

  test(`${name}: leader and follower hear what they want, whoever leads`, () =>
    inBrowser(async (browser, origin) => {
      const levels = { default: "off", homeserver: "info", client_api: "warn", http: "debug" };
      const leader = await open(browser, origin, { levels }, true);
      const follower = await open(browser, origin, { levels: { default: "off", client_api: "warn" } }, true);
      await comes(leader, records, "is open");
      const [first, ...rest] = await records(leader);
      const { at, ...opened } = first;
      assert.ok(Math.abs(Date.now() - at) < 60_000);
      const message = `the homeserver ${await leader.evaluate(() => neurite.serverName)} is open`;
      assert.deepEqual(opened, { level: "info", part: "homeserver", message });
      assert.deepEqual(rest, []);
      const alice = await register(follower, "alice");
      await report(follower, alice, "it's rude");
      await comes(leader, records, "{user_id}/report");
      await comes(follower, records, "rude");
      const fields = { status: 200 };
      const [, registered, warned, reported] = (await records(leader)).map(({ at, ...record }) => record);
      const debug = { level: "debug", part: "http", fields };
      assert.deepEqual(registered, { ...debug, message: "POST /_matrix/client/v3/register" });
      assert.deepEqual(reported, { ...debug, message: "POST /_matrix/client/v3/users/{user_id}/report" });
      assert.deepEqual(
        (await records(follower)).map(({ at, ...record }) => record),
        [warned],
      );
      await leader.close();
      await until(() => follower.evaluate(() => neurite.role === "leader"));
      await report(follower, alice, "still");
      await comes(follower, records, "still");
    }));

  test(`${name}: a callback that throws is the page's own affair`, () =>
    inBrowser(async (browser, origin) => {
      const page = await browser.open(`${origin}/blank.html`);
      await page.evaluate(async () => {
        const reported = new Promise((resolve) => (globalThis.onerror = resolve));
        const { start } = await import("/index.js");
        const to = () => {
          throw new Error("no thanks");
        };
        globalThis.neurite = await start({ log: { levels: "debug", to }, serviceWorker: false });
        await neurite.fetch("/_matrix/client/versions");
        await reported;
      });
      assert.ok((await send(page, "GET", "/versions")).versions);
    }));

  test(`${name}: what a page does not take is left out`, () =>
    inBrowser(async (browser, origin) => {
      const page = await open(browser, origin, "off");
      const heard = await page.evaluate(async () => {
        const { port1, port2 } = new MessageChannel();
        const log = { levels: { http: "debug" }, spans: false };
        const heard = [];
        let pong;
        let welcome;
        const welcomed = new Promise((resolve) => (welcome = resolve));
        port1.onmessage = ({ data }) => {
          if (data.kind === "welcome") welcome();
          if (data.kind === "log") heard.push(data.record);
          if (data.kind === "pong") pong();
        };
        await new Promise((held) => {
          navigator.locks.request("slow page", () => (held(), new Promise(() => {})));
        });
        neurite.tab.connection.hand(port2);
        await welcomed;
        port1.postMessage({ kind: "hello", lock: "slow page", log });
        const ask = async (times) => {
          for (let time = 0; time < times; time++) await neurite.fetch("/_matrix/client/versions");
          await new Promise((resolve) => {
            pong = resolve;
            port1.postMessage({ kind: "ping" });
          });
          return heard.splice(0).map(({ message, fields }) => [message, fields]);
        };
        await ask(0);
        const first = (await ask(600)).length;
        port1.postMessage({ kind: "logged", count: first });
        // Requests go by another port, which may be quicker.
        await ask(0);
        return { first, then: await ask(1) };
      });
      assert.equal(heard.first, 512);
      assert.deepEqual(heard.then, [
        ["messages are missing here: they came faster than they were taken", { count: 88 }],
        ["GET /_matrix/client/versions", { status: 200 }],
      ]);
    }));

  test(`${name}: spans are on the performance timeline`, () =>
    inBrowser(async (browser, origin) => {
      const page = await open(browser, origin, { levels: "off", spans: true });
      const { access_token: token } = await register(page, "alice");
      const { room_id: room } = await send(page, "POST", "/v3/createRoom", {}, token);
      await send(page, "GET", `/v3/sync?access_token=${token}`);
      await send(page, "GET", `/v3/rooms/${encodeURIComponent(room)}/state`, undefined, token);
      const expected = [
        ["http", /^request method=POST path=\/_matrix\/client\/v3\/register$/],
        ["http", /^request method=GET path=\/_matrix\/client\/v3\/sync$/],
        ["http", /^request method=GET path=\/_matrix\/client\/v3\/rooms\/\{room_id\}\/state$/],
        ["store", /^commit batches=\d+$/],
        ["sync", /^sync$/],
        ["queue", /^work consumer=search messages=\d+$/],
      ];
      await until(async () => {
        const spans = await told(page);
        return expected.every(([part, name]) =>
          spans.some(({ span, track, duration }) => track === part && name.test(span) && duration >= 0),
        );
      });
      // Another page may want them too.
      await page.evaluate(() => neurite.stop());
      const leader = await open(browser, origin, "off");
      await open(browser, origin, { levels: "off", spans: true });
      await until(async () => {
        await send(leader, "GET", "/versions");
        return (await told(leader)).length > 0;
      });
    }));

  test(`${name}: the queue alone logs too`, () =>
    inBrowser(async (browser, origin) => {
      const page = await browser.open(`${origin}/blank.html`);
      const records = await page.evaluate(async () => {
        const { start } = await import("/queue.js");
        let heard;
        const record = new Promise((resolve) => (heard = resolve));
        const queue = await start({ log: { levels: { default: "off", queue: "debug" }, to: heard } });
        const port = await queue.queue();
        const config = JSON.stringify({ name: "ORDERS", subjects: ["orders"] });
        const lines = ['CONNECT {"verbose":false}', `PUB $JS.API.STREAM.CREATE.ORDERS _INBOX.1 ${config.length}`, config];
        port.start();
        port.postMessage(new TextEncoder().encode(lines.map((line) => `${line}\r\n`).join("")));
        const { at, ...rest } = await record;
        const wrong = await start({ log: { levels: { rooms: "debug" } } }).catch(({ name }) => name);
        return [rest, wrong];
      });
      const message = "stream ORDERS";
      assert.deepEqual(records, [
        { level: "debug", part: "queue", message, fields: { action: "Create" } },
        "ConfigError",
      ]);
    }));

  test(`${name}: an option that has no meaning is refused by its name`, () =>
    inBrowser(async (browser, origin) => {
      const page = await browser.open(`${origin}/blank.html`);
      const options = [
        ["loud", /log\.levels: .* default .* not loud/],
        [{ levels: { queue: "loud" } }, /log\.levels: .* queue .* not loud/],
        [{ levels: { attic: "warn" } }, /log\.levels has no attic/],
        [{ queue: "debug" }, /log has no queue/],
        [{ levels: 3 }, /log\.levels/],
        [{ to: "console" }, /log\.to/],
        [{ spans: "yes" }, /log\.spans/],
        [7, /log is/],
      ];
      for (const [log, message] of options) {
        const error = await page.evaluate(async (log) => {
          const { start } = await import("/index.js");
          return start({ log, serviceWorker: false }).catch(({ name, message }) => ({ name, message }));
        }, log);
        assert.equal(error.name, "ConfigError");
        assert.match(error.message, message);
      }
    }));
});
