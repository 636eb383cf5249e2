// Signing up and in. spec: client-server §User-Interactive Authentication API, §Login

import { createClient, MatrixError } from "matrix-js-sdk";

import { clientFetch, homeserverUrl } from "../server/reach.js";
import type { Account } from "./accounts.js";

const DEVICE_NAME = "Neurite demo";

export async function signUp(username: string, password: string): Promise<Account> {
  const client = anonymous();
  const request = { username, password, initial_device_display_name: DEVICE_NAME };
  // The first answer says which ways there are; an open homeserver asks for none but "dummy".
  const session = await client.registerRequest(request).then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof MatrixError && error.httpStatus === 401) return error.data.session as string | undefined;
      throw error;
    },
  );
  const auth = { type: "m.login.dummy", ...(session !== undefined && { session }) };
  const { user_id, device_id, access_token } = await client.registerRequest({ ...request, auth });
  if (!device_id || !access_token) throw new Error("The homeserver signed nobody in.");
  // Others then read a name and not the whole id.
  client.credentials = { userId: user_id };
  client.setAccessToken(access_token);
  await client.setDisplayName(username);
  return { userId: user_id, deviceId: device_id, accessToken: access_token };
}

export async function signIn(username: string, password: string): Promise<Account> {
  const { user_id, device_id, access_token } = await anonymous().loginRequest({
    type: "m.login.password",
    identifier: { type: "m.id.user", user: username },
    password,
    initial_device_display_name: DEVICE_NAME,
  });
  return { userId: user_id, deviceId: device_id, accessToken: access_token };
}

const anonymous = () => createClient({ baseUrl: homeserverUrl(), fetchFn: clientFetch });
