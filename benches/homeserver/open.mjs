// The homeserver's pages, and those of the floor beside them.

import { ask, openPage, serveBenches } from "../harness.mjs";

/**
 * Serves the homeserver's page, and on an origin of its own the floor's, while `work` runs with
 * `{ url, floor }`: the address of the one, and the other, open.
 */
export async function withFloor(browser, work) {
  const [floorServer, homeServer] = [await serveBenches(), await serveBenches()];
  try {
    const floor = await openPage(browser, `${floorServer.url}floor/`);
    return await work({ url: `${homeServer.url}homeserver/`, floor });
  } finally {
    await Promise.all([floorServer.close(), homeServer.close()]);
  }
}

/** The same with the homeserver's page open too, and prepared: `{ home, floor }`. */
export function withHome(browser, work) {
  return withFloor(browser, async ({ url, floor }) => {
    const home = await openPage(browser, url);
    await ask(home, "prepare", "bench");
    const result = await work({ home, floor });
    await ask(home, "destroy");
    return result;
  });
}

/**
 * Opens a page that starts the homeserver in `storage` as it is loaded:
 * `{ page, sinceLoad, sinceStart }`, with the times until its first answer.
 */
export async function visit(browser, url, storage) {
  const page = await openPage(browser, `${url}?${new URLSearchParams({ start: storage })}`);
  await page.bringToFront();
  return { page, ...(await ask(page, "visited")) };
}

/** The linear memory of all wasm in the page's workers, in bytes. */
export async function linearMemory(page) {
  const each = page.workers().map((worker) =>
    linearMemoryOf(worker).catch((cause) => {
      // The worker that hashes passwords ends when it has nothing to do.
      if (page.workers().includes(worker)) throw cause;
      return 0;
    }),
  );
  return (await Promise.all(each)).reduce((all, bytes) => all + bytes, 0);
}

async function linearMemoryOf(worker) {
  const prototype = await worker.evaluateHandle(() => WebAssembly.Memory.prototype);
  const { objects } = await worker.client.send("Runtime.queryObjects", {
    prototypeObjectId: prototype.id,
  });
  const sum = (memories) => memories.reduce((all, { buffer }) => all + buffer.byteLength, 0);
  const { result } = await worker.client.send("Runtime.callFunctionOn", {
    objectId: objects.objectId,
    functionDeclaration: `function () { return (${sum})(this); }`,
    returnByValue: true,
  });
  return result.value;
}

/** What the scripts of the page and its workers take, as the browser reckons it, in bytes. */
export function scriptMemory(page) {
  return page.evaluate(async () => (await performance.measureUserAgentSpecificMemory()).bytes);
}
