// The service worker may be ended at any time, be the app's own, or not be there at all.

import assert from "node:assert/strict";
import { test } from "node:test";

import { inEachBrowser, until, waitFor, withBrowser } from "./harness.mjs";
import { folder, openBare } from "./runtime/pages.mjs";

/** Has Firefox end service workers soon after their last event. */
const prefs = { "dom.serviceWorkers.idle_timeout": 200 };

/** Ends the service worker; Firefox does so by itself, with `prefs`. Resolves when it is gone. */
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

const registrations = (page) =>
  page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).map(({ active }) => active.scriptURL));

inEachBrowser((name) => {
  const inBrowser = (work, options) => withBrowser(name, work, { folder, ...options });

  for (const base of [undefined, "https://homeserver.invalid"]) {
    test(`${name}: requests go on after the service worker was ended, at ${base ?? "this origin"}`, () =>
      inBrowser(
        async (browser, origin) => {
          const page = await openBare(browser, origin, base && { base_url: base });
          const other = await openBare(browser, origin, base && { base_url: base });
          for (let round = 0; round < 5; round++) {
            for (const client of [page, other]) {
              await endServiceWorker(client, name);
              const answers = await client.evaluate(async (base) => {
                const request = async () => (await fetch(`${base}/_matrix/client/versions`)).status;
                const image = new Promise((resolve) => {
                  const element = new Image();
                  element.onload = element.onerror = resolve;
                  element.src = `${base}/_matrix/client/v1/media/download/none/none`;
                });
                const answers = await Promise.all([request(), request(), request()]);
                await image;
                return answers;
              }, base ?? origin);
              assert.deepEqual(answers, [200, 200, 200]);
            }
          }
        },
        { prefs },
      ));
  }

  test(`${name}: a request waits for a homeserver that is still to start`, () =>
    inBrowser(async (browser, origin) => {
      const first = await openBare(browser, origin);
      const client = await browser.open(`${origin}/blank.html`);
      await waitFor(client, () => navigator.serviceWorker.controller !== null);
      await first.close();
      const answer = client.evaluate(async () => (await fetch("/_matrix/client/versions")).status);
      await openBare(browser, origin);
      assert.equal(await answer, 200);
    }));

  test(`${name}: when no page runs the homeserver, requests fail and do not reach the network`, () =>
    inBrowser(async (browser, origin) => {
      const first = await openBare(browser, origin);
      const client = await browser.open(`${origin}/blank.html`);
      await first.close();
      const failure = await client.evaluate(() =>
        fetch("/_matrix/client/versions").then(({ status }) => status, ({ name }) => name),
      );
      assert.equal(failure, "TypeError");
      const page = await browser.open();
      const response = await page.goto(`${origin}/_matrix/client/versions`);
      assert.equal(response.status(), 503);
      assert.match(await response.text(), /No open page runs this homeserver/);
    }));

  test(`${name}: a form that a page of another origin submits is refused`, () =>
    inBrowser(async (browser, origin) => {
      await openBare(browser, origin);
      const other = new URL(origin);
      other.hostname = other.hostname === "localhost" ? "127.0.0.1" : "localhost";
      const submit = async (from, referrerPolicy) => {
        const page = await browser.open(`${from}/blank.html`);
        const answered = page.waitForResponse((response) => response.url().endsWith("/register"));
        await page.evaluate(
          (action, policy) => {
            document.head.innerHTML = `<meta name="referrer" content="${policy}">`;
            const form = Object.assign(document.createElement("form"), { action, method: "post", enctype: "text/plain" });
            form.append(Object.assign(document.createElement("input"), { name: '{"x":"', value: '"}' }));
            document.body.append(form);
            setTimeout(() => form.submit());
          },
          `${origin}/_matrix/client/v3/register`,
          referrerPolicy,
        );
        const status = (await answered).status();
        await page.close();
        return status;
      };
      assert.equal(await submit(other.origin, "unsafe-url"), 403);
      assert.equal(await submit(other.origin, "no-referrer"), 403);
      assert.equal(await submit(origin, "same-origin"), 401, "the app's own form is answered");
    }));

  test(`${name}: without a service worker homeserver.fetch works, and one message says so`, () =>
    inBrowser(async (browser, origin) => {
      const page = await browser.open();
      const messages = [];
      page.on("console", (message) => messages.push(message.text()));
      await page.evaluateOnNewDocument(() => {
        navigator.serviceWorker.register = () => Promise.reject(new DOMException("not here", "SecurityError"));
      });
      await page.goto(`${origin}/bare.html`);
      const answers = await page.evaluate(async () => {
        const homeserver = await neuriteReady;
        return [
          (await homeserver.fetch("/_matrix/client/versions")).status,
          (await fetch("/_matrix/client/versions")).status,
        ];
      });
      assert.deepEqual(answers, [200, 404]);
      const said = messages.filter((text) => text.startsWith("Neurite"));
      assert.equal(said.length, 1);
      assert.match(said[0], /runs without a service worker.*not here/);
    }));

  test(`${name}: an app's own service worker that imports ours`, () =>
    inBrowser(async (browser, origin) => {
      const page = await browser.open(`${origin}/blank.html`);
      await page.evaluate(async () => {
        await navigator.serviceWorker.register("/own-service-worker.js");
        await navigator.serviceWorker.ready;
      });
      for (const service_worker of ["own", "on"]) {
        const bare = await openBare(browser, origin, { service_worker });
        const answers = await bare.evaluate(async () => {
          const texts = [];
          for (const path of ["/own", "/_matrix/client/versions", "/own-fetch"]) {
            texts.push(await (await fetch(path)).text());
          }
          return texts;
        });
        assert.equal(answers[0], "own");
        assert.match(answers[1], /versions/);
        assert.equal(answers[2], answers[1], "what it fetches itself is answered too");
        assert.deepEqual(await registrations(bare), [`${origin}/own-service-worker.js`]);
        await bare.close();
      }
    }));

  test(`${name}: an app's service worker that does not import ours is left alone`, () =>
    inBrowser(async (browser, origin) => {
      const page = await browser.open(`${origin}/blank.html`);
      await page.evaluate(async () => {
        await navigator.serviceWorker.register("/strange-service-worker.js");
        await navigator.serviceWorker.ready;
      });
      const messages = [];
      page.on("console", (message) => messages.push(message.text()));
      await page.goto(`${origin}/bare.html`);
      const status = await page.evaluate(async () => {
        const homeserver = await neuriteReady;
        return (await homeserver.fetch("/_matrix/client/versions")).status;
      });
      assert.equal(status, 200);
      assert.match(messages.join("\n"), /begin that with `import "neurite\/service-worker"`/);
      assert.deepEqual(await registrations(page), [`${origin}/strange-service-worker.js`]);
    }));

  test(`${name}: an insecure origin, with two tabs`, () =>
    inBrowser(
      async (browser, origin) => {
        const insecure = `http://insecure.test:${new URL(origin).port}`;
        const pages = [await openBare(browser, insecure), await openBare(browser, insecure)];
        const told = await Promise.all(
          pages.map((page) =>
            page.evaluate(async () => ({
              secure: isSecureContext,
              name: neurite.serverName,
              status: (await neurite.fetch("/_matrix/client/versions")).status,
            })),
          ),
        );
        assert.equal(told[0].secure, false);
        assert.deepEqual(told.map(({ status }) => status), [200, 200]);
        assert.equal(told[0].name, told[1].name);
        await pages[0].close();
        const status = await pages[1].evaluate(async () => (await neurite.fetch("/_matrix/client/versions")).status);
        assert.equal(status, 200);
      },
      {
        args: ["--host-resolver-rules=MAP insecure.test 127.0.0.1"],
        prefs: { "network.dns.localDomains": "insecure.test" },
      },
    ));
});
