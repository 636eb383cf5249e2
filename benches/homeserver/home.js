// The homeserver under measurement, and the people who use it.

import { start } from "/index.js";

import { tell } from "../work.js";

const STRAIGHT = "homeserver.fetch";
const PASSWORD = "correct horse battery staple";

let next = 0;
/** Something that nobody in this run was called before. */
export const unique = () => `${Math.trunc(performance.timeOrigin)}-${next++}`;

export class Home {
  #homeserver;

  /** Logins and room ids that rows and pages leave to the next page. */
  kept = {};

  constructor(homeserver) {
    this.#homeserver = homeserver;
    this.anybody = new Person(this, {});
  }

  /** A homeserver over `storage` that has given its first answer. */
  static async start(storage) {
    const home = new Home(await start({ storage, serverName: "bench.test", rateLimits: "off" }));
    await home.anybody.get("versions");
    return home;
  }

  fetch(door, path, init) {
    return door === STRAIGHT ? this.#homeserver.fetch(path, init) : fetch(path, init);
  }

  stop() {
    return this.#homeserver.stop();
  }

  destroy() {
    return this.#homeserver.destroy();
  }

  /** A new account, whose password costs a hash. */
  async register(username = `user-${unique()}`) {
    const auth = { type: "m.login.dummy" };
    return this.#loggedIn(await this.anybody.post("v3/register", { username, password: PASSWORD, auth }));
  }

  /** A new account without a password, so without a hash. */
  async guest() {
    return this.#loggedIn(await this.anybody.post("v3/register?kind=guest", {}));
  }

  /** A new device of an account that was registered here. */
  async login(user) {
    const identifier = { type: "m.id.user", user };
    const login = { type: "m.login.password", identifier, password: PASSWORD };
    return this.#loggedIn(await this.anybody.post("v3/login", login));
  }

  #loggedIn({ user_id, access_token }) {
    return this.person({ user_id, access_token });
  }

  person(login) {
    return new Person(this, login);
  }

  /** Resolves when what events cause (unread counts, the search index) is done. */
  async quiet() {
    const busy = ({ pending, ackPending }) => pending + ackPending > 0;
    for (;;) {
      const consumers = (await this.#homeserver.status()).streams.flatMap(({ consumers }) => consumers);
      const left = consumers.filter(busy).map(({ pending, ackPending }) => pending + ackPending);
      if (left.length === 0) return;
      tell(`${Math.max(...left)} messages to be worked off`);
    }
  }
}

/** Somebody who sends requests, logged in or not. */
export class Person {
  #home;

  constructor(home, login) {
    this.#home = home;
    this.login = login;
  }

  async request(method, path, body, door = STRAIGHT) {
    const { access_token: token } = this.login;
    const init = { method, headers: token ? { authorization: `Bearer ${token}` } : {} };
    if (body) init.body = JSON.stringify(body);
    const response = await this.#home.fetch(door, `/_matrix/client/${path}`, init);
    const answer = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${answer.error}`);
    return answer;
  }

  get(path, door) {
    return this.request("GET", path, undefined, door);
  }

  post(path, body, door) {
    return this.request("POST", path, body, door);
  }

  /** Makes a room that anybody may join, a guest too; its id. */
  async createRoom() {
    const guests = { type: "m.room.guest_access", content: { guest_access: "can_join" } };
    const room = { preset: "public_chat", initial_state: [guests] };
    return (await this.post("v3/createRoom", room)).room_id;
  }

  join(roomId) {
    return this.post(`v3/rooms/${roomId}/join`, {});
  }

  /** Sends a message; its event id. */
  async send(roomId, door) {
    const path = `v3/rooms/${roomId}/send/m.room.message/t${unique()}`;
    const text = { msgtype: "m.text", body: "A message of ordinary length." };
    return (await this.request("PUT", path, text, door)).event_id;
  }

  /** Syncs, initially without `since`; waits for `timeout` milliseconds at most. */
  sync({ since, timeout = 0 } = {}, door) {
    const filter = JSON.stringify({ presence: { types: [] } });
    const query = new URLSearchParams({ filter, timeout, set_presence: "offline" });
    if (since) query.set("since", since);
    return this.get(`v3/sync?${query}`, door);
  }
}
