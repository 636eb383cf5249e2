// From an account to a client at work.

import { initAsync } from "@matrix-org/matrix-sdk-crypto-wasm";
import {
  ClientEvent,
  createClient,
  HttpApiEvent,
  IndexedDBStore,
  type MatrixClient,
  MatrixError,
  MemoryCryptoStore,
  PendingEventOrdering,
  SyncState,
} from "matrix-js-sdk";

import { clientFetch, homeserverUrl } from "../server/reach.js";
import { type Account, accountKey } from "./accounts.js";

/** The homeserver knows the session no longer: it was ended elsewhere, or the homeserver is another. */
export class SignedOutError extends Error {}

/**
 * Resolves when the client knows its rooms, from its own store or from the homeserver. `onSignedOut`
 * is called if the session is ended after that. What it kept is deleted then.
 */
export async function connect(account: Account, onSignedOut: () => void): Promise<MatrixClient> {
  // Beside this script's page: the build copies it there.
  await initAsync(new URL("pkg/matrix_sdk_crypto_wasm_bg.wasm", document.baseURI));
  const store = new IndexedDBStore({ indexedDB, localStorage, dbName: accountKey(account) });
  const client = createClient({
    baseUrl: homeserverUrl(),
    fetchFn: clientFetch,
    userId: account.userId,
    deviceId: account.deviceId,
    accessToken: account.accessToken,
    store,
    // Otherwise the SDK looks for keys of its former crypto in a database that all accounts share.
    cryptoStore: new MemoryCryptoStore(),
    // This client makes no calls, so it need not ask for a relay each hour.
    disableVoip: true,
  });
  await store.startup();
  await client.initRustCrypto({ cryptoDatabasePrefix: accountKey(account) });
  const prepared = new Promise<void>((resolve, reject) => {
    client.on(ClientEvent.Sync, (state) => {
      if (state === SyncState.Prepared || state === SyncState.Syncing) resolve();
    });
    client.once(HttpApiEvent.SessionLoggedOut, () => {
      void deleteStores(client, account).finally(() => {
        reject(new SignedOutError());
        onSignedOut();
      });
    });
  });
  const started = client.startClient({
    initialSyncLimit: 30,
    lazyLoadMembers: true,
    pendingEventOrdering: PendingEventOrdering.Detached,
  });
  await Promise.all([prepared, started.catch(toldBySession)]);
  return client;
}

/** A request that fails because the session has ended: the event tells it, once. */
function toldBySession(cause: unknown): void {
  if (!(cause instanceof MatrixError && cause.errcode === "M_UNKNOWN_TOKEN")) throw cause;
}

/** Ends the client and keeps what it knows for the next time. */
export async function disconnect(client: MatrixClient): Promise<void> {
  client.stopClient();
  await client.store.save(true);
}

/** Signs the device out and deletes all that it kept. */
export async function signOut(client: MatrixClient, account: Account): Promise<void> {
  client.removeAllListeners(HttpApiEvent.SessionLoggedOut);
  await client.logout(true);
  await deleteStores(client, account);
}

async function deleteStores(client: MatrixClient, account: Account): Promise<void> {
  client.stopClient();
  await client.clearStores({ cryptoDatabasePrefix: accountKey(account) });
}
