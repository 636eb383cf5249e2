// Pages: those that the homeserver has for what a client can't do itself, and those of others, which
// it describes.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { root } from "../../scripts/project.mjs";
import { inEachBrowser, until, withBrowser } from "./harness.mjs";
import { folder, openBare } from "./runtime/pages.mjs";

/** Sends JSON to the page's homeserver; resolves to what it answers. */
const send = (page, method, path, body, token) =>
  page.evaluate(
    async (method, path, body, token) => {
      const headers = token ? { authorization: `Bearer ${token}` } : {};
      const response = await neurite.fetch(path, { method, headers, body: body && JSON.stringify(body) });
      return { status: response.status, body: await response.json() };
    },
    method,
    path,
    body,
    token,
  );

const register = async (page, username) => {
  const auth = { type: "m.login.dummy" };
  const body = { username, password: "correct horse battery", auth };
  return (await send(page, "POST", "/_matrix/client/v3/register", body)).body;
};

inEachBrowser((name) => {
  const inBrowser = (work) => withBrowser(name, work, { folder: [...folder, join(root, "tests/system")] });

  test(`${name}: signing in on the homeserver's page`, () =>
    inBrowser(async (browser, origin) => {
      const page = await openBare(browser, origin);
      await register(page, "alice");
      const login = await browser.open(
        `${origin}/_matrix/static/client/login/?device_id=PHONE&refresh_token=true`,
      );
      const submit = async (user, password) => {
        await login.evaluate(
          (user, password) => {
            document.querySelector("#user").value = user;
            document.querySelector("#password").value = password;
            globalThis.matrixLogin = { onLogin: (answer) => void (globalThis.answer = answer) };
          },
          user,
          password,
        );
        await login.click("button");
      };
      await submit("alice", "wrong");
      await until(() => login.evaluate(() => document.querySelector("[role=alert]").textContent !== ""));
      await submit("alice", "correct horse battery");
      await until(() => login.evaluate(() => globalThis.answer !== undefined));
      const answer = await login.evaluate(() => globalThis.answer);
      assert.match(answer.user_id, /^@alice:/);
      assert.equal(answer.device_id, "PHONE");
      assert.equal(typeof answer.refresh_token, "string");
      const whoami = await send(page, "GET", "/_matrix/client/v3/account/whoami", undefined, answer.access_token);
      assert.equal(whoami.body.device_id, "PHONE");
    }));

  test(`${name}: a stage of authentication on its page`, () =>
    inBrowser(async (browser, origin) => {
      const page = await openBare(browser, origin);
      const { access_token: token, device_id: device } = await register(page, "alice");
      const path = `/_matrix/client/v3/devices/${device}`;
      const { session } = (await send(page, "DELETE", path, {}, token)).body;
      await page.evaluate((session) => {
        addEventListener("message", ({ data, origin }) => {
          globalThis.heard = { data, ours: origin === location.origin };
        });
        globalThis.popup = open(
          `/_matrix/client/v3/auth/m.login.password/fallback/web?session=${session}`,
        );
      }, session);
      const fill = (password) =>
        page.evaluate((password) => {
          const field = popup.document.querySelector("#password");
          const there = popup.document.readyState === "complete" && field?.value === "";
          if (!there) return false;
          field.value = password;
          popup.document.querySelector("button").click();
          return true;
        }, password);
      await until(() => fill("wrong"));
      await until(() => page.evaluate(() => popup.document.querySelector("[role=alert]")?.textContent));
      await until(() => fill("correct horse battery"));
      await until(() => page.evaluate(() => globalThis.heard !== undefined));
      assert.deepEqual(await page.evaluate(() => globalThis.heard), { data: "authDone", ours: true });
      assert.equal((await send(page, "DELETE", path, { auth: { session } }, token)).status, 200);
    }));

  test(`${name}: a link's preview has the page's words and its picture`, () =>
    inBrowser(async (browser, origin) => {
      const page = await openBare(browser, origin);
      const { access_token: token } = await register(page, "alice");
      const preview = (url) =>
        send(page, "GET", `/_matrix/client/v1/media/preview_url?url=${encodeURIComponent(url)}`, undefined, token);
      const { status, body } = await preview(`${origin}/article.html#part`);
      assert.equal(status, 200);
      const { "og:image": picture, ...rest } = body;
      assert.deepEqual(rest, {
        "og:title": "An article & its picture",
        "og:image:type": "image/png",
        "matrix:image:size": 2735,
      });
      const size = await page.evaluate(
        async (path, token) => {
          const headers = { authorization: `Bearer ${token}` };
          return (await (await neurite.fetch(path, { headers })).blob()).size;
        },
        `/_matrix/client/v1/media/download/${picture.slice("mxc://".length)}`,
        token,
      );
      assert.equal(size, 2735);
      const missing = await preview(`${origin}/nothing-here.html`);
      assert.deepEqual([missing.status, missing.body.errcode], [502, "M_UNKNOWN"]);
      // Another origin, which lets nobody read it.
      const foreign = await preview(`${origin.replace("127.0.0.1", "localhost")}/article.html`);
      assert.deepEqual([foreign.status, foreign.body.errcode], [502, "M_UNKNOWN"]);
    }));
});
