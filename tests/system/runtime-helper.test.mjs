// What takes long is done by a helper, a worker beside the homeserver's, if there can be one.

import assert from "node:assert/strict";
import { test } from "node:test";

import { inEachBrowser, killWorkers, until, withBrowser } from "./harness.mjs";
import { folder, openBare } from "./runtime/pages.mjs";

/** Runs in the page: functions for the tests, at `globalThis`. */
function prepare() {
  globalThis.said = [];
  globalThis.helpers = new BroadcastChannel("helpers");
  helpers.onmessage = ({ data }) => said.push(data);
  const post = async (path, body) => {
    const response = await neurite.fetch(`/_matrix/client/v3/${path}`, { method: "POST", body: JSON.stringify(body) });
    return { status: response.status, ...(await response.json()) };
  };
  globalThis.register = (username) =>
    post("register", { username, password: `password of ${username}`, auth: { type: "m.login.dummy" } });
  globalThis.login = (user, password = `password of ${user}`) =>
    post("login", { type: "m.login.password", identifier: { type: "m.id.user", user }, password });
}

async function open(browser, origin, worker_url) {
  const page = await openBare(browser, origin, { worker_url });
  await page.evaluate(prepare);
  return page;
}

/** How often a helper has said this. */
const count = (page, what) => page.evaluate((what) => said.filter((it) => it === what).length, what);

/** How many helpers were made and not killed. */
const made = (page) => page.evaluate(() => startedWorkers.filter(({ name }) => name.endsWith(":helper")).length);

/** Logs alice in until a helper has done so: on a busy machine it may not be there in time. */
const logInByHelper = async (page) => {
  const before = await count(page, "done");
  await until(async () => {
    assert.equal(await page.evaluate(async () => (await login("alice")).status), 200);
    return (await count(page, "done")) > before;
  });
};

/** Has the helper keep what it has done to itself. */
async function hold(page) {
  await page.evaluate(() => helpers.postMessage("hold"));
  await until(() => count(page, "hold: yes"));
}

inEachBrowser((name) => {
  const inBrowser = (work) => withBrowser(name, work, { folder });

  test(`${name}: the first password makes a helper, and one that is killed is replaced`, () =>
    inBrowser(async (browser, origin) => {
      const page = await open(browser, origin, "/helped-worker.js");
      assert.equal(await made(page), 0);
      assert.equal(await page.evaluate(async () => (await register("alice")).status), 200);
      await logInByHelper(page);
      assert.equal(await page.evaluate(async () => (await login("alice", "another")).status), 403);
      const before = await made(page);
      assert.ok(before > 0);
      await logInByHelper(page);
      assert.equal(await made(page), before, "it stays");
      // What it has not done by then is done all the same.
      await hold(page);
      await page.evaluate(() => void (globalThis.logins = Array.from({ length: 5 }, () => login("alice"))));
      await killWorkers(page, "worker.js", { helpers: true });
      const statuses = await page.evaluate(async () => (await Promise.all(logins)).map(({ status }) => status));
      assert.deepEqual(statuses, [200, 200, 200, 200, 200]);
      await logInByHelper(page);
      assert.ok((await made(page)) > 0, "another");
      assert.deepEqual(browser.problems, []);
    }));

  test(`${name}: others are answered while ten people log in`, () =>
    inBrowser(async (browser, origin) => {
      const page = await open(browser, origin, "/helped-worker.js");
      const people = ["alice", ...Array.from({ length: 9 }, (_, index) => `user${index}`)];
      const { access_token } = await page.evaluate(async (people) => (await Promise.all(people.map(register)))[0], people);
      await logInByHelper(page);
      await hold(page);
      const answered = await page.evaluate(
        async (people, access_token) => {
          globalThis.loggedIn = false;
          globalThis.logins = people.map((user) => login(user).finally(() => (globalThis.loggedIn = true)));
          const headers = { authorization: `Bearer ${access_token}` };
          const statuses = [];
          for (let asked = 0; asked < 50; asked++) {
            statuses.push((await neurite.fetch("/_matrix/client/v3/account/whoami", { headers })).status);
          }
          return { statuses, loggedIn: globalThis.loggedIn };
        },
        people,
        access_token,
      );
      assert.deepEqual(answered, { statuses: Array(50).fill(200), loggedIn: false });
      const users = await page.evaluate(async () => {
        helpers.postMessage("release");
        return (await Promise.all(logins)).map(({ user_id }) => user_id.slice(1).split(":")[0]);
      });
      assert.deepEqual(users, people);
    }));

  test(`${name}: pictures are drawn by the helper`, () =>
    inBrowser(async (browser, origin) => {
      const page = await open(browser, origin, "/helped-worker.js");
      await page.evaluate(() => register("alice"));
      await logInByHelper(page);
      const done = await count(page, "done");
      assert.deepEqual(await page.evaluate(thumbnail), [320, 240]);
      assert.equal(await count(page, "done"), done + 2, "a login and a picture");
    }));

  test(`${name}: what no helper does in time is done in its place`, () =>
    inBrowser(async (browser, origin) => {
      const page = await open(browser, origin, "/mute-helper-worker.js");
      await page.evaluate(() => register("alice"));
      const statuses = await page.evaluate(() =>
        Promise.all(["password of alice", "another"].map(async (password) => (await login("alice", password)).status)),
      );
      assert.deepEqual(statuses, [200, 403]);
      assert.deepEqual(await page.evaluate(thumbnail), [320, 240]);
    }));
});

/** Runs in the page: the size of the thumbnail of a picture of alice's. */
async function thumbnail() {
  const { access_token } = await login("alice");
  const headers = { authorization: `Bearer ${access_token}` };
  const canvas = new OffscreenCanvas(1600, 1200);
  canvas.getContext("2d").fillRect(0, 0, 800, 600);
  const body = await canvas.convertToBlob({ type: "image/png" });
  const upload = { method: "POST", body, headers: { ...headers, "content-type": "image/png" } };
  const { content_uri } = await (await neurite.fetch("/_matrix/media/v3/upload", upload)).json();
  const path = `/_matrix/client/v1/media/thumbnail/${content_uri.slice("mxc://".length)}?width=300&height=200`;
  const drawn = await createImageBitmap(await (await neurite.fetch(path, { headers })).blob());
  return [drawn.width, drawn.height];
}
