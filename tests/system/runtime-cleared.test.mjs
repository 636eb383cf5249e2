// The site's data is deleted, all or in part, while tabs are open: what is left starts again, clean.

import assert from "node:assert/strict";
import { test } from "node:test";

import { TestBrowser, inEachBrowser, until, waitFor, withBrowser } from "./harness.mjs";
import { servePage } from "./queue/suite.mjs";
import { folder, openBare } from "./runtime/pages.mjs";

const TOKEN = /access_token|Bearer/;

/** What the server was asked that is nobody's business but the homeserver's. */
function watchServer() {
  const leaked = [];
  const onrequest = ({ url, headers }, response) => {
    if (TOKEN.test(url) || TOKEN.test(headers.authorization ?? "")) leaked.push(url);
    if (url.startsWith("/blank.html?clear")) response.setHeader("clear-site-data", '"storage"');
  };
  return { leaked, onrequest };
}

function deleteDatabase(page, name) {
  return page.evaluate(
    (name) =>
      new Promise((resolve, reject) => {
        const request = indexedDB.deleteDatabase(name);
        request.onsuccess = () => resolve();
        request.onerror = () => reject(request.error);
      }),
    name,
  );
}

async function clearByDevtools(page, storageTypes) {
  const session = await page.createCDPSession();
  await session.send("Storage.clearDataForOrigin", { origin: new URL(page.url()).origin, storageTypes });
  await session.detach();
}

const unregister = (page) =>
  page.evaluate(async () => {
    for (const registration of await navigator.serviceWorker.getRegistrations()) await registration.unregister();
  });

/** Resolves when the service worker that controls the page is the one that is registered. */
const controlled = (page) =>
  until(() =>
    page.evaluate(async () => {
      const { controller } = navigator.serviceWorker;
      const registration = await navigator.serviceWorker.getRegistration();
      return controller !== null && registration?.active === controller && controller.state === "activated";
    }),
  );

/** Makes an account, whose token the page keeps. */
async function register(page) {
  const status = await page.evaluate(async () => {
    const body = { username: "alice", password: "correct horse battery", auth: { type: "m.login.dummy" } };
    const init = { method: "POST", body: JSON.stringify(body) };
    const response = await neurite.fetch("/_matrix/client/v3/register", init);
    globalThis.token = (await response.json()).access_token;
    globalThis.ask = async (fetch, path) => {
      const headers = { authorization: `Bearer ${token}` };
      try {
        const response = await fetch(`/_matrix/client/v3/${path}`, { headers });
        const answer = await response.json().catch(() => ({ errcode: "by the network" }));
        return `${response.status} ${answer.errcode ?? "OK"}`;
      } catch ({ name }) {
        return name;
      }
    };
    return response.status;
  });
  assert.equal(status, 200);
}

/** Who the token's owner is, by both ways in. */
const whoami = (page) =>
  page.evaluate(() => Promise.all([fetch, neurite.fetch].map((fetch) => ask(fetch, "account/whoami"))));

/** Begins a long poll by each way in; resolves when both wait. */
function beginPolls(page) {
  return page.evaluate(async () => {
    const headers = { authorization: `Bearer ${token}` };
    const { next_batch } = await (await neurite.fetch("/_matrix/client/v3/sync", { headers })).json();
    const filter = encodeURIComponent(JSON.stringify({ presence: { types: [] } }));
    const path = `sync?timeout=600000&since=${next_batch}&filter=${filter}`;
    globalThis.polls = [fetch, neurite.fetch].map((fetch) => ask(fetch, path));
    // What was asked after them, on the same ways, is answered.
    await Promise.all([fetch, neurite.fetch].map((fetch) => ask(fetch, "account/whoami")));
  });
}

/** What is logged when a database is not there any more, and the rest of the site's data is. */
const gone = (storage) =>
  `Neurite worker: the database ${storage} is gone, by the browser or by hand, and begins anew`;

/** Deletes all that the site has stored, as the server's answer asks for. */
const clearByServer = (page) => page.evaluate(async () => void (await fetch("/blank.html?clear")));

inEachBrowser((name) => {
  const beneath = { "the database, by the page": (page) => deleteDatabase(page, "neurite") };
  const all = { "all data, by the server": clearByServer };
  if (name === "chromium") {
    beneath["all databases, by the browser"] = (page) => clearByDevtools(page, "indexeddb");
    all["all data, by the browser"] = (page) => clearByDevtools(page, "all");
  } else {
    Object.assign(beneath, all);
  }

  for (const [what, clear] of Object.entries(beneath)) {
    test(`${name}: deleted beneath two tabs: ${what}`, () => {
      const { leaked, onrequest } = watchServer();
      return withBrowser(
        name,
        async (browser, origin) => {
          const [leader, follower] = [await openBare(browser, origin), await openBare(browser, origin)];
          await register(follower);
          assert.deepEqual(await whoami(follower), ["200 OK", "200 OK"]);
          const before = await follower.evaluate(() => neurite.serverName);
          await beginPolls(follower);

          await clear(leader);
          // Nobody asks for anything: the homeserver notices by itself.
          const [byServiceWorker, straight] = await follower.evaluate(() => Promise.all(polls));
          assert.equal(straight, "401 M_UNKNOWN_TOKEN");
          // One that was on its way through the service worker ends with that.
          const ends = ["401 M_UNKNOWN_TOKEN", ...(what in all ? ["TypeError"] : [])];
          assert.ok(ends.includes(byServiceWorker), byServiceWorker);
          for (const page of [leader, follower]) await controlled(page);
          assert.deepEqual(await whoami(follower), ["401 M_UNKNOWN_TOKEN", "401 M_UNKNOWN_TOKEN"]);
          const names = await Promise.all([leader, follower].map((page) => page.evaluate(() => neurite.serverName)));
          assert.equal(names[0], names[1]);
          assert.notEqual(names[0], before, "another homeserver");
          await register(leader);
          assert.deepEqual(await whoami(leader), ["200 OK", "200 OK"]);
          assert.deepEqual(leaked, []);
          assert.deepEqual(browser.problems, what in all ? [] : [gone("neurite")]);
        },
        { folder, onrequest },
      );
    });
  }

  // Pages of before and workers of after do not see each other's locks there.
  for (const [what, clear] of name === "chromium" ? Object.entries(all) : []) {
    test(`${name}: deleted, with which open tabs end: ${what}`, () => {
      const { leaked, onrequest } = watchServer();
      return withBrowser(
        name,
        async (browser, origin) => {
          const pages = [await openBare(browser, origin), await openBare(browser, origin)];
          const [leader, follower] = pages;
          await register(follower);
          for (const page of pages) {
            await page.evaluate(() => {
              globalThis.ended = new Promise((resolve) =>
                neurite.addEventListener("close", ({ reason: { name, message } }) => resolve(`${name}: ${message}`)),
              );
            });
          }
          await beginPolls(follower);
          await clear(leader);
          for (const page of pages) {
            const reason = /^ClearedError: The data of this site was deleted.*Reload this page/;
            assert.match(await page.evaluate(() => ended), reason);
          }
          const [byServiceWorker, straight] = await follower.evaluate(() => Promise.all(polls));
          assert.equal(straight, "TypeError");
          // Chromium ends it with the service worker, or begins it anew once there is none.
          assert.ok(["TypeError", "404 by the network"].includes(byServiceWorker), byServiceWorker);
          // What the app still asks for is held back.
          await controlled(follower);
          assert.deepEqual(await whoami(follower), ["TypeError", "TypeError"]);
          const token = await follower.evaluate(() => globalThis.token);
          for (const page of pages) {
            await page.reload();
            await page.evaluate(async () => void (await globalThis.neuriteReady));
          }
          await register(leader);
          assert.deepEqual(await whoami(leader), ["200 OK", "200 OK"]);
          await leader.evaluate((old) => (globalThis.token = old), token);
          assert.deepEqual(await whoami(leader), ["401 M_UNKNOWN_TOKEN", "401 M_UNKNOWN_TOKEN"]);
          const began = leaked.splice(0, byServiceWorker === "TypeError" ? 0 : 1);
          assert.ok(began.every((url) => url.startsWith("/_matrix/client/v3/sync?")), began.join());
          assert.deepEqual(leaked, []);
          assert.deepEqual(browser.problems, []);
        },
        { folder, onrequest },
      );
    });
  }

  test(`${name}: a service worker that is unregistered, or taken away, is registered anew`, () => {
    const { leaked, onrequest } = watchServer();
    return withBrowser(
      name,
      async (browser, origin) => {
        const page = await openBare(browser, origin);
        await register(page);
        const ways = [unregister];
        if (name === "chromium") ways.push((page) => clearByDevtools(page, "service_workers"));
        for (const takeAway of ways) {
          await takeAway(page);
          await controlled(page);
          assert.deepEqual(await whoami(page), ["200 OK", "200 OK"]);
          const client = await browser.open(`${origin}/blank.html`);
          await waitFor(client, () => navigator.serviceWorker.controller !== null);
          const status = await client.evaluate(async () => (await fetch("/_matrix/client/versions")).status);
          assert.equal(status, 200);
          await client.close();
        }
        assert.deepEqual(leaked, []);
        // After it has left, the page registers none.
        await page.evaluate(() => neurite.stop());
        await unregister(page);
        assert.deepEqual(browser.problems, []);
      },
      { folder, onrequest },
    );
  });

  test(`${name}: a service worker that has lost its settings asks the pages`, () => {
    const { leaked, onrequest } = watchServer();
    return withBrowser(
      name,
      async (browser, origin) => {
        const bases = [origin, `${origin}/below`];
        const pages = [];
        for (const [number, base_url] of bases.entries()) {
          const page = await openBare(browser, origin, { storage: `number${number}`, base_url });
          await register(page);
          pages.push(page);
        }
        const ask = () =>
          Promise.all(
            pages.map((page, number) =>
              page.evaluate(async (url) => {
                const headers = { authorization: `Bearer ${token}` };
                return (await fetch(url, { headers })).status;
              }, `${bases[number]}/_matrix/client/v3/account/whoami`),
            ),
          );
        assert.deepEqual(await ask(), [200, 200]);
        await deleteDatabase(pages[0], "neurite:service-worker");
        assert.deepEqual(await ask(), [200, 200], "it still knows");
        await endServiceWorker(pages[0], name);
        assert.deepEqual(await ask(), [200, 200], "it asks");
        await deleteDatabase(pages[0], "neurite:service-worker");
        // Writes what the service worker still knows of the other one, too.
        await pages[0].reload();
        await pages[0].evaluate(async () => void (await globalThis.neuriteReady));
        await pages[1].evaluate(() => neurite.stop());
        await endServiceWorker(pages[0], name);
        const leads = pages[1].evaluate(
          (url) => fetch(url, { headers: { authorization: "Bearer of" } }).then(({ status }) => status, ({ name }) => name),
          `${bases[1]}/_matrix/client/v3/account/whoami`,
        );
        assert.equal(await leads, "TypeError", "nobody runs it");
        assert.deepEqual(leaked, []);
      },
      { folder, onrequest, prefs: { "dom.serviceWorkers.idle_timeout": 200 } },
    );
  });

  test(`${name}: without localStorage a homeserver keeps its name`, () =>
    withBrowser(
      name,
      async (browser, origin) => {
        const page = await openBare(browser, origin);
        const before = await page.evaluate(() => neurite.serverName);
        await page.evaluate(() => localStorage.clear());
        await page.reload();
        assert.equal(await page.evaluate(async () => (await globalThis.neuriteReady).serverName), before);
      },
      { folder },
    ));

  test(`${name}: an insecure origin's database is deleted beneath two tabs`, () =>
    withBrowser(
      name,
      async (browser, origin) => {
        const insecure = `http://insecure.test:${new URL(origin).port}`;
        const pages = [await openBare(browser, insecure), await openBare(browser, insecure)];
        await register(pages[0]);
        await deleteDatabase(pages[1], "neurite");
        const ask = () => pages[0].evaluate(() => globalThis.ask(neurite.fetch, "account/whoami"));
        await until(async () => (await ask()) === "401 M_UNKNOWN_TOKEN");
        await register(pages[1]);
        assert.equal(await pages[0].evaluate(async () => (await neurite.status()).users), 1, "one homeserver");
      },
      {
        folder,
        args: ["--host-resolver-rules=MAP insecure.test 127.0.0.1"],
        prefs: { "network.dns.localDomains": "insecure.test" },
      },
    ));

  test(`${name}: the queue's database is deleted beneath its clients`, async () => {
    const server = await servePage(`
      import { jetstreamManager } from "@nats-io/jetstream";
      import { Kvm } from "@nats-io/kv";
      import { connect } from "neurite/nats";
      import { start } from "/queue.js";

      globalThis.begin = async () => {
        globalThis.nc = await connect(await start());
        globalThis.statuses = [];
        void (async () => {
          for await (const { type } of nc.status()) statuses.push(type);
        })();
        await nc.flush();
      };
      globalThis.bucket = () => new Kvm(nc).create("settings");
      globalThis.streams = async () => (await (await jetstreamManager(nc)).streams.list().next()).length;
      globalThis.loaded = true;
    `);
    const browser = await TestBrowser.launch(name);
    try {
      const pages = [];
      for (let tab = 0; tab < 2; tab++) {
        const page = await browser.open(`${server.url}page.html`);
        await waitFor(page, () => globalThis.loaded);
        await page.evaluate(() => begin());
        pages.push(page);
      }
      await pages[1].evaluate(async () => void (await (await bucket()).put("colour", "blue")));
      assert.equal(await pages[0].evaluate(() => streams()), 1);
      await deleteDatabase(pages[1], "queue:neurite");
      for (const page of pages) {
        const noticed = () => statuses.includes("disconnect") && statuses.includes("reconnect");
        await until(() => page.evaluate(noticed));
        assert.equal(await page.evaluate(() => streams()), 0);
      }
      await pages[1].evaluate(async () => void (await (await bucket()).put("colour", "blue")));
      assert.equal(await pages[0].evaluate(() => streams()), 1);
      assert.deepEqual(browser.problems, [gone("queue:neurite")]);
    } finally {
      await browser.destroy();
      await server.close();
    }
  });
});

/** Ends the service worker; Firefox does so by itself, soon. Resolves when it is gone. */
async function endServiceWorker(page, name) {
  if (name === "chromium") {
    const session = await page.createCDPSession();
    await session.send("ServiceWorker.enable");
    await session.send("ServiceWorker.stopAllWorkers");
    await session.detach();
  }
  await until(() =>
    page.evaluate(async () => {
      const { held } = await navigator.locks.query();
      return !held.some(({ name }) => name.startsWith("neurite:service-worker"));
    }),
  );
}
