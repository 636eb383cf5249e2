// Syncs that wait, of people in another room, whom what is sent does not concern.

import { fill } from "../../homeserver/fill.js";

const PEOPLE = 10;

export default {
  what: "waiting syncs",
  sizes: [0, 1, 10, 100, 500],
  most: { send: 1.2 },
  begins: true,
  async grow(home, from, to) {
    const { kept } = home;
    kept.waiting ??= [];
    if (!kept.people) {
      const people = await Promise.all(Array.from({ length: PEOPLE }, () => home.register()));
      const roomId = await people[0].createRoom();
      for (const person of people) await person.join(roomId);
      kept.people = people.map(({ login }) => login);
    }
    await fill("devices", to - from, async (index) => {
      const device = await home.login(kept.people[index % PEOPLE].user_id);
      kept.waiting.push(device.login);
    });
  },
  /** Has them wait until the page is closed. */
  async begin(home) {
    const wait = async (device, since) => {
      for (;;) ({ next_batch: since } = await device.sync({ since, timeout: 30_000 }));
    };
    const devices = home.kept.waiting.map((login) => home.person(login));
    await fill("waiting syncs", devices.length, async (index) => {
      const { next_batch: since } = await devices[index].sync();
      // It ends with the page, in which nobody minds that.
      wait(devices[index], since).catch(() => {});
    });
  },
};
