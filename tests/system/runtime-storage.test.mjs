// What the browser's storage may do to a homeserver, and what people are told then.

import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import { test } from "node:test";

import { browserNames, inEachBrowser, until, waitFor, withBrowser } from "./harness.mjs";
import { failToStart, folder, openBare } from "./runtime/pages.mjs";

/** Makes a database of that name and version with one object store and one record. */
function makeDatabase(page, name, version) {
  return page.evaluate(
    (name, version) =>
      new Promise((resolve, reject) => {
        const request = indexedDB.open(name, version);
        request.onupgradeneeded = () => request.result.createObjectStore("somebody's").put("something", "key");
        request.onerror = () => reject(request.error);
        request.onsuccess = () => resolve(request.result.close());
      }),
    name,
    version,
  );
}

/** What that record says now. */
function readDatabase(page, name) {
  return page.evaluate(
    (name) =>
      new Promise((resolve, reject) => {
        const request = indexedDB.open(name);
        request.onerror = () => reject(request.error);
        request.onsuccess = () => {
          const record = request.result.transaction("somebody's").objectStore("somebody's").get("key");
          record.onerror = () => reject(record.error);
          record.onsuccess = () => {
            request.result.close();
            resolve(record.result);
          };
        };
      }),
    name,
  );
}

/** Fills what the origin may still store with a database that can be deleted. */
function fillUp(page) {
  return page.evaluate(async () => {
    const open = () =>
      new Promise((resolve, reject) => {
        const request = indexedDB.open("ballast", 1);
        request.onupgradeneeded = () => request.result.createObjectStore("ballast", { autoIncrement: true });
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    let database = await open();
    const put = (size) =>
      new Promise((resolve) => {
        const transaction = database.transaction("ballast", "readwrite", { durability: "strict" });
        transaction.objectStore("ballast").put(crypto.getRandomValues(new Uint8Array(size)));
        transaction.oncomplete = () => resolve(true);
        transaction.onabort = () => resolve(false);
      });
    for (const size of [60_000, 5000]) {
      while (await put(size));
      // Firefox gives nothing more to a connection that has met the quota.
      database.close();
      database = await open();
    }
    database.close();
  });
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

/** How much an origin may store in Firefox, in KiB; Chromium's feature hides that quotas differ. */
const smallQuota = {
  folder,
  args: ["--disable-features=StaticStorageQuota"],
  prefs: { "dom.quotaManager.temporaryStorage.fixedLimit": 8 << 10 },
};

/**
 * Uses up the quota, all but a little. `tighten` has it used up exactly, but for what is kept in
 * reserve; `leaveNone` leaves nothing at all, whatever the browser tidies up; `makeRoom` makes room again.
 */
async function useUp(browser, page, origin) {
  if (browser.name === "firefox") {
    await fillUp(page);
    return { tighten: () => {}, leaveNone: () => {}, makeRoom: () => deleteDatabase(page, "ballast") };
  }
  const devtools = await page.createCDPSession();
  const setQuota = (quotaSize) => devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize });
  await setQuota(1 << 20);
  return {
    // Chromium takes a while to notice a quota, and lets more be stored until then.
    tighten: async () => {
      const reserve = 512 << 10;
      const { usage, reserved } = await page.evaluate(async () => {
        const { usage } = await navigator.storage.estimate();
        const open = indexedDB.open("neurite");
        await new Promise((resolve) => (open.onsuccess = resolve));
        const key = open.result.transaction("blobs").objectStore("blobs").getKey("reserve");
        await new Promise((resolve) => (key.onsuccess = resolve));
        open.result.close();
        return { usage, reserved: key.result !== undefined };
      });
      await setQuota(reserved ? usage : usage + reserve / 4);
    },
    leaveNone: () => setQuota(1),
    makeRoom: () => setQuota(undefined),
  };
}

inEachBrowser((name) => {
  test(`${name}: a database of somebody else's, or of a newer version, is left as it is`, () =>
    withBrowser(
      name,
      async (browser, origin) => {
        const page = await openBare(browser, origin);
        await makeDatabase(page, "foreign", 1);
        const foreign = await failToStart(browser, origin, { storage: "foreign" });
        assert.equal(foreign.name, "StorageError");
        assert.match(foreign.message, /not made by Neurite.*Nothing was changed/s);
        assert.equal(await readDatabase(page, "foreign"), "something");
        await page.evaluate(() => neurite.stop());
        // The homeserver's own, as a later version of it would leave it.
        await makeDatabase(page, "neurite", 1_000_000);
        const newer = await failToStart(browser, origin);
        assert.equal(newer.name, "SchemaTooNewError");
        assert.match(newer.message, /version 1000000.*Nothing was changed/s);
        assert.equal(await readDatabase(page, "neurite"), "something");
      },
      { folder },
    ));

  test(`${name}: when the quota is used up writes fail and nothing else, until there is room again`, () =>
    withBrowser(
      name,
      async (browser, origin) => {
        const page = await openBare(browser, origin);
        const call = (method, path, body, token) =>
          page.evaluate(
            async (method, path, body, token) => {
              const headers = token ? { authorization: `Bearer ${token}` } : {};
              const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
              return { status: response.status, body: await response.json() };
            },
            ...[method, `/_matrix/client/v3/${path}`, body, token],
          );
        const auth = { type: "m.login.dummy" };
        const register = { username: "alice", password: "correct horse battery", auth };
        const { access_token: token, user_id } = (await call("POST", "register", register)).body;
        const others = (await call("POST", "register", { ...register, username: "bob" })).body.access_token;
        const full = () =>
          page.evaluate(async () => {
            await globalThis.neuriteReady;
            const { storage } = await neurite.status();
            return [neurite.storageFull, storage.full];
          });
        assert.deepEqual(await full(), [false, false]);
        const { room_id } = (await call("POST", "createRoom", {}, token)).body;
        let sent = 0;
        const send = (body) =>
          call("PUT", `rooms/${room_id}/send/m.room.message/${sent++}`, { msgtype: "m.text", body }, token);
        const accepted = [await send("before")];
        assert.equal(accepted[0].status, 200);

        const { tighten, leaveNone, makeRoom } = await useUp(browser, page, origin);
        let refused;
        while (!refused) {
          const answer = await send("x".repeat(50_000));
          if (answer.status === 200) accepted.push(answer);
          else refused = answer;
        }
        assert.equal(refused.status, 507);
        assert.match(refused.body.error, /no more storage/);
        // What was answered is there, and nothing that was refused; the same after it is started anew.
        const assertKept = async () => {
          const messages = await call("GET", `rooms/${room_id}/messages?dir=b&limit=20`, undefined, token);
          const sent = messages.body.chunk.filter(({ type }) => type === "m.room.message");
          const ids = sent.map(({ event_id }) => event_id);
          const newest = accepted.slice(-ids.length).map(({ body }) => body.event_id);
          assert.deepEqual(ids.toReversed(), newest);
        };
        await assertKept();
        assert.deepEqual(await full(), [true, true]);
        await page.reload();
        assert.deepEqual(await full(), [true, true]);
        await page.evaluate(() => {
          globalThis.told = [];
          neurite.addEventListener("storagechange", () => told.push(neurite.storageFull));
        });
        await assertKept();
        const sync = await call("GET", "sync", undefined, token);
        assert.ok(sync.body.rooms.join[room_id]);
        assert.equal((await send("still refused")).status, 507);
        // What makes room does what it says.
        await tighten();
        await until(async () => (await call("POST", "logout", {}, others)).status === 200);
        assert.equal((await call("GET", "account/whoami", undefined, others)).status, 401);
        await leaveNone();
        const noRoom = await failToStart(browser, origin, { storage: "another" });
        assert.equal(noRoom?.name, "QuotaExceededError", noRoom?.message);
        assert.match(noRoom.message, /What was stored is kept/);

        await makeRoom();
        await waitFor(page, () => globalThis.told.at(-1) === false);
        assert.deepEqual(await full(), [false, false]);
        const after = await until(async () => {
          const answer = await send("after");
          return answer.status === 200 && answer;
        });
        const whoami = await call("GET", "account/whoami", undefined, token);
        assert.equal(whoami.body.user_id, user_id);
        await page.reload();
        await page.evaluate(async () => void (await globalThis.neuriteReady));
        const again = await call("GET", `rooms/${room_id}/messages?dir=b&limit=1`, undefined, token);
        assert.equal(again.body.chunk[0].event_id, after.body.event_id);
      },
      smallQuota,
    ));
});

test("chromium: that the browser has removed the database is told", { skip: !browserNames.includes("chromium") }, () =>
  withBrowser(
    "chromium",
    async (browser, origin) => {
      const lost = (page) => page.evaluate(async () => (await neurite.status()).storage.lost);
      const page = await openBare(browser, origin);
      assert.equal(await lost(page), false);
      await browser.kill();
      // A record with a checksum that is not its own: Chromium begins all the origin's databases anew.
      await appendFile(await browser.indexedDbLog(origin), Buffer.from([1, 2, 3, 4, 1, 0, 1, 0]));
      await browser.reopen();
      const again = await openBare(browser, origin);
      assert.equal(await lost(again), true);
      assert.match(browser.problems.splice(0).join("\n"), /database neurite is gone/);
      await again.evaluate(() => neurite.stop());
      await again.reload();
      await again.evaluate(async () => void (await globalThis.neuriteReady));
      assert.equal(await lost(again), false);
    },
    { folder },
  ));

inEachBrowser((name) => {
  test(`${name}: that the database was deleted by hand is told, and not when it was on purpose`, () =>
    withBrowser(
      name,
      async (browser, origin) => {
        const lost = (page) => page.evaluate(async () => (await neurite.status()).storage.lost);
        const page = await openBare(browser, origin);
        await page.evaluate(() => neurite.destroy());
        const second = await openBare(browser, origin);
        assert.equal(await lost(second), false);
        await second.evaluate(() => neurite.stop());
        await deleteDatabase(second, "neurite");
        const third = await openBare(browser, origin);
        assert.equal(await lost(third), true);
        assert.match(browser.problems.join("\n"), /database neurite is gone/);
      },
      { folder },
    ));
});
