// Requests reach the homeserver, by the service worker and by homeserver.fetch, with equal answers.

import assert from "node:assert/strict";
import { test } from "node:test";

import { inEachBrowser, withBrowser } from "./harness.mjs";
import { failToStart, folder, openBare } from "./runtime/pages.mjs";

/** Requests of all kinds that need no account. */
const REQUESTS = [
  ["/_matrix/client/versions"],
  ["/.well-known/matrix/client"],
  ["/_matrix/client/versions?with=query&more=%20"],
  ["/_matrix/client/v3/there-is-no-such-endpoint"],
  ["/_matrix/client/versions", { method: "DELETE" }],
  ["/_matrix/client/versions", { method: "OPTIONS" }],
  ["/_matrix/client/versions", { method: "HEAD" }],
  ["/_matrix/client/v3/login", { method: "POST", body: "no JSON" }],
  ["/_matrix/client/v3/login", { method: "POST", body: "{}", headers: { "x-unknown": "ü" } }],
  ["/_matrix/client/v3/account/whoami", { headers: { authorization: "Bearer nothing" } }],
  ["/_matrix/media/v3/upload", { method: "POST", body: "text", headers: { "content-type": "text/plain" } }],
];

inEachBrowser((name) => {
  const inBrowser = (work) => withBrowser(name, work, { folder });

  test(`${name}: both ways in give equal answers`, () =>
    inBrowser(async (browser, origin) => {
      const page = await openBare(browser, origin);
      const answers = await page.evaluate(async (requests) => {
        const read = async (response) => ({
          status: response.status,
          url: response.url,
          headers: [...response.headers].sort(),
          body: await response.text(),
        });
        const answers = [];
        for (const [path, init] of requests) {
          answers.push({
            request: `${init?.method ?? "GET"} ${path}`,
            worker: await read(await fetch(path, init)),
            straight: await read(await neurite.fetch(path, init)),
          });
        }
        return answers;
      }, REQUESTS);
      for (const { request, worker, straight } of answers) assert.deepEqual(straight, worker, request);
      assert.deepEqual(
        answers.map(({ worker }) => worker.status),
        [200, 200, 200, 404, 405, 200, 200, 400, 400, 401, 401],
      );
      assert.deepEqual(browser.problems, []);
    }));

  test(`${name}: XMLHttpRequest, Request objects, forms of bodies, navigation`, () =>
    inBrowser(async (browser, origin) => {
      const page = await openBare(browser, origin);
      const answers = await page.evaluate(async () => {
        const xhr = (method, url, body) =>
          new Promise((resolve, reject) => {
            const request = new XMLHttpRequest();
            request.open(method, url);
            request.onload = () => resolve([request.status, JSON.parse(request.responseText)]);
            request.onerror = reject;
            request.send(body);
          });
        const json = async (response) => [response.status, await response.json()];
        const upload = "/_matrix/media/v3/upload";
        const bytes = new Uint8Array([1, 2, 3]);
        return {
          versions: await xhr("GET", "/_matrix/client/versions"),
          upload: await xhr("POST", upload, new Blob(["content"], { type: "text/plain" })),
          request: await json(await neurite.fetch(new Request("/_matrix/client/versions"))),
          bodies: await Promise.all(
            [bytes, bytes.buffer, new Blob([bytes]), new URLSearchParams("a=b"), new FormData()].map(
              async (body) => (await neurite.fetch(upload, { method: "POST", body })).status,
            ),
          ),
          network: await (await neurite.fetch(new URL("/blank.html", location.href))).text(),
        };
      });
      assert.deepEqual(answers.versions, answers.request);
      assert.equal(answers.versions[0], 200);
      assert.equal(answers.upload[0], 401);
      assert.equal(answers.upload[1].errcode, "M_MISSING_TOKEN");
      assert.deepEqual(answers.bodies, [401, 401, 401, 401, 401]);
      assert.match(answers.network, /A page without a homeserver/);
      const navigated = await browser.open();
      const response = await navigated.goto(`${origin}/_matrix/client/versions`);
      assert.equal(response.status(), 200);
      assert.ok(JSON.parse(await response.text()).versions.length > 0);
    }));

  test(`${name}: a base URL on another origin, which does not exist`, () =>
    inBrowser(async (browser, origin) => {
      const base = "https://homeserver.invalid/below/a/path";
      const page = await openBare(browser, origin, { base_url: `${base}/` });
      const answers = await page.evaluate(async (base) => {
        const own = await fetch("/_matrix/client/versions");
        const xhr = await new Promise((resolve, reject) => {
          const request = new XMLHttpRequest();
          request.open("PUT", `${base}/_matrix/client/versions`);
          // Would be asked about first, were it a request to the network.
          request.setRequestHeader("x-not-simple", "yes");
          request.onload = () => resolve(request.status);
          request.onerror = reject;
          request.send("{}");
        });
        return {
          baseUrl: neurite.baseUrl,
          worker: (await (await fetch(`${base}/_matrix/client/versions`)).json()).versions.length,
          straight: (await (await neurite.fetch("/_matrix/client/versions")).json()).versions.length,
          wellKnown: await (await fetch(`${base}/.well-known/matrix/client`)).json(),
          xhr,
          own: own.status,
        };
      }, base);
      assert.equal(answers.baseUrl, base);
      assert.ok(answers.worker > 0);
      assert.equal(answers.straight, answers.worker);
      assert.equal(answers.wellKnown["m.homeserver"].base_url, base);
      assert.equal(answers.xhr, 405);
      // The page's own origin is not the homeserver's then.
      assert.equal(answers.own, 404);
    }));

  test(`${name}: two homeservers side by side`, () =>
    inBrowser(async (browser, origin) => {
      const one = await openBare(browser, origin, { storage: "one", server_name: "one.test" });
      const two = await openBare(browser, origin, { storage: "two", server_name: "two.test" });
      const said = async (page) =>
        page.evaluate(async () => {
          // Leaves its mark in the last requests of the homeserver that answers it.
          await fetch(`/_matrix/client/versions?from=${neurite.serverName}`);
          const { requests, serverName } = await neurite.status();
          return requests.filter(({ path }) => path.includes(serverName)).length;
        });
      assert.equal(await said(one), 1);
      assert.equal(await said(two), 1);
    }));

  test(`${name}: an abort rejects, before and during`, () =>
    inBrowser(async (browser, origin) => {
      const page = await openBare(browser, origin);
      const names = await page.evaluate(async () => {
        const outcome = (promise) => promise.then(() => "answered", (error) => error.name);
        const aborted = AbortSignal.abort();
        const during = (fetch) => {
          const controller = new AbortController();
          const answer = fetch("/_matrix/client/versions", { signal: controller.signal });
          controller.abort();
          return answer;
        };
        return [
          await outcome(neurite.fetch("/_matrix/client/versions", { signal: aborted })),
          await outcome(fetch("/_matrix/client/versions", { signal: aborted })),
          await outcome(during(neurite.fetch)),
          await outcome(during(fetch.bind(globalThis))),
        ];
      });
      assert.deepEqual(names, ["AbortError", "AbortError", "AbortError", "AbortError"]);
    }));

  test(`${name}: stop, start again, destroy`, () =>
    inBrowser(async (browser, origin) => {
      const page = await openBare(browser, origin);
      const first = await page.evaluate(async () => {
        const closed = new Promise((resolve) => neurite.addEventListener("close", resolve, { once: true }));
        await neurite.stop();
        const failure = await neurite.fetch("/_matrix/client/versions").catch((error) => error.name);
        return { failure, reason: (await closed).reason.message, name: neurite.serverName };
      });
      assert.deepEqual([first.failure, first.reason], ["TypeError", "The homeserver was stopped."]);
      await page.reload();
      const again = await page.evaluate(async () => {
        const homeserver = await neuriteReady;
        const { serverName: name } = homeserver;
        const { status } = await homeserver.fetch("/_matrix/client/versions");
        await homeserver.destroy();
        return { name, status, databases: (await indexedDB.databases()).map(({ name }) => name) };
      });
      assert.equal(again.status, 200);
      assert.equal(again.name, first.name, "a name is kept");
      assert.ok(!again.databases.includes("neurite"), "nothing is left");
    }));

  test(`${name}: what can't start says why and what to do`, () =>
    inBrowser(async (browser, origin) => {
      await (await openBare(browser, origin, { server_name: "one.test" })).close();
      const errors = [
        [{ server_name: "two.test" }, "ConfigError", /is that of the homeserver one\.test/],
        [{ registration: "sometimes" }, "ConfigError", /registration is one of open, token, closed/],
        [{ base_url: "ftp://homeserver.invalid" }, "ConfigError", /baseUrl/],
        [{ server_name: "no server name" }, "ConfigError", /serverName/],
        [{ default_room_version: "0" }, "ConfigError", /defaultRoomVersion/],
        [{ worker_url: "/missing.js" }, "WorkerError", /missing\.js.*`workerUrl`/],
      ];
      for (const [options, kind, message] of errors) {
        const error = await failToStart(browser, origin, options);
        assert.equal(error?.name, kind, JSON.stringify(options));
        assert.match(error.message, message);
      }
      const error = await failToStart(browser, origin, {}, () => {
        delete Navigator.prototype.locks;
        delete globalThis.SharedWorker;
      });
      assert.equal(error?.name, "UnsupportedError");
    }));
});
