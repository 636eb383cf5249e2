// Large bodies pass as blobs, media elements need no token, long polls wait and end, and what is
// aborted is done once.

import assert from "node:assert/strict";
import { test } from "node:test";

import { inEachBrowser, until, withBrowser } from "./harness.mjs";
import { folder, openBare } from "./runtime/pages.mjs";

/** Registers a user in the page's homeserver and keeps the token at `globalThis.token`. */
const register = (page, username) =>
  page.evaluate(async (username) => {
    const auth = { type: "m.login.dummy" };
    const body = JSON.stringify({ username, password: "correct horse battery", auth });
    const response = await neurite.fetch("/_matrix/client/v3/register", { method: "POST", body });
    const { access_token } = await response.json();
    globalThis.token = access_token;
    globalThis.authorization = { authorization: `Bearer ${access_token}` };
  }, username);

/** Uploads by XMLHttpRequest, as matrix-js-sdk does; resolves to the path below `download/`. */
const upload = (page, base) =>
  page.evaluate(async (base) => {
    const canvas = new OffscreenCanvas(80, 60);
    canvas.getContext("2d").fillRect(0, 0, 40, 40);
    const picture = await canvas.convertToBlob({ type: "image/png" });
    globalThis.bytes = new Uint8Array(await picture.arrayBuffer());
    const answer = await new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", `${base}/_matrix/media/v3/upload?filename=picture.png`);
      request.setRequestHeader("authorization", `Bearer ${token}`);
      request.setRequestHeader("content-type", "image/png");
      request.onload = () => resolve(JSON.parse(request.responseText));
      request.onerror = reject;
      request.send(picture);
    });
    return answer.content_uri.slice("mxc://".length);
  }, base);

inEachBrowser((name) => {
  for (const options of [{}, { base_url: "https://homeserver.invalid" }]) {
    test(`${name}: media for elements, ranges and tokens, at ${options.base_url ?? "this origin"}`, () =>
      withBrowser(
        name,
        async (browser, origin) => {
          const page = await openBare(browser, origin, options);
          const base = options.base_url ?? origin;
          await register(page, "alice");
          const media = await upload(page, base);
          const seen = await page.evaluate(
            async (base, media) => {
              const url = `${base}/_matrix/client/v1/media/download/${media}`;
              const image = (src) =>
                new Promise((resolve) => {
                  const element = new Image();
                  element.onload = () => resolve([element.naturalWidth, element.naturalHeight]);
                  element.onerror = () => resolve("error");
                  element.src = src;
                });
              const errcode = async (response) => [response.status, (await response.json()).errcode];
              const forged = { "x-neurite-same-origin-media": "1" };
              const part = await fetch(url, { headers: { ...authorization, range: "bytes=1-3" } });
              const end = await neurite.fetch(url, { headers: { ...authorization, range: "bytes=-2" } });
              const beyond = await neurite.fetch(url, { headers: { ...authorization, range: "bytes=999999-" } });
              const whole = await fetch(url, { headers: authorization });
              return {
                image: await image(url),
                legacy: await image(`${base}/_matrix/media/v3/download/${media}`),
                thumbnail: await image(
                  `${base}/_matrix/client/v1/media/thumbnail/${media}?width=32&height=32&method=crop`,
                ),
                untold: [
                  await errcode(await fetch(url)),
                  await errcode(await neurite.fetch(url)),
                  await errcode(await fetch(url, { headers: forged })),
                  await errcode(await neurite.fetch(url, { headers: forged })),
                ],
                part: [part.status, part.headers.get("content-range"), ...new Uint8Array(await part.arrayBuffer())],
                end: [end.status, ...new Uint8Array(await end.arrayBuffer())],
                beyond: [beyond.status, beyond.headers.get("content-range")],
                type: whole.headers.get("content-type"),
                equal: String(new Uint8Array(await whole.arrayBuffer())) === String(bytes),
                bytes: [...bytes.slice(0, 4), ...bytes.slice(-2)],
                size: bytes.length,
              };
            },
            base,
            media,
          );
          const { bytes, size } = seen;
          assert.deepEqual(seen.image, [80, 60]);
          assert.deepEqual(seen.legacy, [80, 60]);
          assert.deepEqual(seen.thumbnail, [32, 32]);
          assert.deepEqual(seen.untold, Array(4).fill([401, "M_MISSING_TOKEN"]));
          assert.deepEqual(seen.part, [206, `bytes 1-3/${size}`, ...bytes.slice(1, 4)]);
          assert.deepEqual(seen.end, [206, ...bytes.slice(-2)]);
          assert.deepEqual(seen.beyond, [416, `bytes */${size}`]);
          assert.deepEqual([seen.type, seen.equal], ["image/png", true]);
        },
        { folder },
      ));
  }

  test(`${name}: what was uploaded runs nowhere in a page of this origin`, () =>
    withBrowser(
      name,
      async (browser, origin) => {
        const page = await openBare(browser, origin);
        await register(page, "alice");
        const loaded = await page.evaluate(async () => {
          const load = (tag, attributes) =>
            new Promise((resolve) => {
              const element = Object.assign(document.createElement(tag), attributes);
              element.onload = () => resolve("loaded");
              element.onerror = () => resolve("refused");
              document.head.append(element);
            });
          const work = (url, options) =>
            new Promise((resolve) => {
              const worker = new Worker(url, options);
              worker.onmessage = () => resolve("loaded");
              worker.onerror = (event) => {
                event.preventDefault();
                resolve("refused");
              };
            });
          const upload = async (type, text) => {
            const headers = { ...authorization, "content-type": type };
            const init = { method: "POST", headers, body: text };
            const { content_uri } = await (await fetch("/_matrix/media/v3/upload", init)).json();
            const path = `/_matrix/client/v1/media/download/${content_uri.slice("mxc://".length)}`;
            const url = `${path}?access_token=${encodeURIComponent(token)}`;
            return { url, text: await (await fetch(url)).text() };
          };
          const script = "globalThis.ran = true; globalThis.postMessage?.('ran');";
          const outcomes = [];
          for (const type of ["text/plain", "text/javascript", "application/json", "text/html", "image/png"]) {
            const { url, text } = await upload(type, script);
            outcomes.push(text === script, await load("script", { src: url }));
            outcomes.push(await load("script", { src: url, type: "module" }));
            outcomes.push(await work(url), await work(url, { type: "module" }));
          }
          for (const type of ["text/plain", "text/html"]) {
            const { url } = await upload(type, "head { color: red }");
            outcomes.push(await load("link", { rel: "stylesheet", href: url }));
          }
          return { outcomes, ran: "ran" in globalThis };
        });
        const scripts = Array(5).fill([true, "refused", "refused", "refused", "refused"]).flat();
        assert.deepEqual(loaded, { outcomes: [...scripts, "refused", "refused"], ran: false });
      },
      { folder },
    ));

  test(`${name}: large bodies by both ways in`, () =>
    withBrowser(
      name,
      async (browser, origin) => {
        const page = await openBare(browser, origin);
        await register(page, "alice");
        const equal = await page.evaluate(async () => {
          const parts = Array.from({ length: 20 }, () => crypto.getRandomValues(new Uint8Array(65536)));
          const file = new Blob([...parts, ...parts, ...parts, ...parts], { type: "application/octet-stream" });
          const digest = async (blob) =>
            String(new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer())));
          const expected = await digest(file);
          const outcomes = [];
          for (const up of [fetch, neurite.fetch]) {
            const init = { method: "POST", headers: authorization, body: file };
            const { content_uri } = await (await up("/_matrix/media/v3/upload", init)).json();
            for (const down of [fetch, neurite.fetch]) {
              const path = `/_matrix/client/v1/media/download/${content_uri.slice(6)}`;
              const response = await down(path, { headers: authorization });
              outcomes.push((await digest(await response.blob())) === expected);
            }
          }
          return outcomes;
        });
        assert.deepEqual(equal, [true, true, true, true]);
      },
      { folder },
    ));

  test(`${name}: a long poll is answered, is aborted, and moves with the homeserver`, () =>
    withBrowser(
      name,
      async (browser, origin) => {
        const [leader, follower] = [await openBare(browser, origin), await openBare(browser, origin)];
        await register(follower, "alice");
        const polling = () =>
          follower.evaluate(async () => {
            const { next_batch } = await (await fetch("/_matrix/client/v3/sync", { headers: authorization })).json();
            // Presence would be told, too.
            const filter = encodeURIComponent(JSON.stringify({ presence: { types: [] } }));
            const path = `/_matrix/client/v3/sync?timeout=30000&since=${next_batch}&filter=${filter}`;
            globalThis.controllers = [new AbortController(), new AbortController()];
            globalThis.polls = [fetch, neurite.fetch].map((fetch, index) =>
              fetch(path, { headers: authorization, signal: controllers[index].signal }).then(
                async (response) => (await response.json()).account_data?.events.map(({ type }) => type),
                ({ name }) => name,
              ),
            );
          });
        const change = (type) =>
          follower.evaluate(async (type) => {
            const { user_id } = await (
              await neurite.fetch("/_matrix/client/v3/account/whoami", { headers: authorization })
            ).json();
            const path = `/_matrix/client/v3/user/${encodeURIComponent(user_id)}/account_data/${type}`;
            const init = { method: "PUT", headers: authorization, body: "{}" };
            return (await neurite.fetch(path, init)).status;
          }, type);
        const ended = () => follower.evaluate(() => Promise.all(polls));

        await polling();
        assert.equal(await change("org.example.one"), 200);
        assert.deepEqual(await ended(), [["org.example.one"], ["org.example.one"]]);

        await polling();
        await follower.evaluate(() => controllers.forEach((controller) => controller.abort()));
        assert.deepEqual(await ended(), ["AbortError", "AbortError"]);
        // The homeserver has given up the one that came straight: requests are noted when they end.
        // Browsers do not tell a service worker that a page has aborted its request.
        await until(() =>
          follower.evaluate(async () => {
            const { requests } = await neurite.status();
            return requests.filter(({ path }) => path.includes("timeout=30000")).length >= 3;
          }),
        );

        await polling();
        await leader.close();
        assert.equal(await change("org.example.two"), 200);
        assert.deepEqual(await ended(), [["org.example.two"], ["org.example.two"]]);
        assert.equal(await follower.evaluate(() => neurite.role), "leader");
      },
      { folder },
    ));

  test(`${name}: a send that is aborted and sent again makes one event`, () =>
    withBrowser(
      name,
      async (browser, origin) => {
        const page = await openBare(browser, origin);
        await register(page, "alice");
        const sent = await page.evaluate(async () => {
          const ask = async (method, path, body, signal) => {
            const init = { method, headers: authorization, body: body && JSON.stringify(body), signal };
            return (await neurite.fetch(`/_matrix/client/v3/${path}`, init)).json();
          };
          const { room_id } = await ask("POST", "createRoom", {});
          const sent = [];
          for (let number = 0; number < 60; number++) {
            const path = `rooms/${encodeURIComponent(room_id)}/send/m.room.message/${number}`;
            const aborting = new AbortController();
            const first = ask("PUT", path, { number }, aborting.signal).catch(({ name }) => name);
            // At different moments of the work on it.
            const until = performance.now() + (number % 12) / 4;
            do await new Promise((resolve) => setTimeout(resolve));
            while (performance.now() < until);
            aborting.abort();
            const { event_id } = await ask("PUT", path, { number });
            const outcome = await first;
            const answered = outcome === "AbortError" || outcome.event_id === event_id;
            const { chunk } = await ask("GET", `rooms/${encodeURIComponent(room_id)}/messages?dir=b&limit=1000`);
            const events = chunk.filter(({ content }) => content.number === number);
            sent.push(answered && events.length === 1 && events[0].event_id === event_id);
          }
          return sent;
        });
        assert.deepEqual(sent, Array(60).fill(true));
      },
      { folder },
    ));
});
