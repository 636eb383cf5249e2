// From an account to a client at work.

import { initAsync } from "@matrix-org/matrix-sdk-crypto-wasm";
import {
  ClientEvent,
  createClient,
  IndexedDBStore,
  type MatrixClient,
  MemoryCryptoStore,
  PendingEventOrdering,
  SyncState,
} from "matrix-js-sdk";

import { clientFetch, homeserverUrl } from "../server/reach.js";
import { type Account, accountKey } from "./accounts.js";

/** Resolves when the client knows its rooms, from its own store or from the homeserver. */
export async function connect(account: Account): Promise<MatrixClient> {
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
  });
  await store.startup();
  await client.initRustCrypto({ cryptoDatabasePrefix: accountKey(account) });
  const prepared = new Promise<void>((resolve) => {
    client.on(ClientEvent.Sync, (state) => {
      if (state === SyncState.Prepared || state === SyncState.Syncing) resolve();
    });
  });
  await client.startClient({
    initialSyncLimit: 30,
    lazyLoadMembers: true,
    pendingEventOrdering: PendingEventOrdering.Detached,
  });
  await prepared;
  return client;
}

/** Ends the client and keeps what it knows for the next time. */
export async function disconnect(client: MatrixClient): Promise<void> {
  await client.store.save(true);
  client.stopClient();
}

/** Signs the device out and deletes all that it kept. */
export async function signOut(client: MatrixClient, account: Account): Promise<void> {
  await client.logout(true);
  await deleteStores(client, account);
}

/** Also for a device that the homeserver has signed out. */
export async function deleteStores(client: MatrixClient, account: Account): Promise<void> {
  client.stopClient();
  await client.clearStores({ cryptoDatabasePrefix: accountKey(account) });
}
