// A message: authenticated, authorised against the room's state, hashed, signed, and durable before
// it is answered.

export default {
  what: "send",
  floor: { "service worker": "put", "homeserver.fetch": "port put" },
  most: { "service worker": 1.6, "homeserver.fetch": 1.6 },
  // How many times as many a second `homeserver.fetch` takes.
  doors: 5,
  request: (home, door) => home.person(home.kept.alice).send(home.kept.roomId, door),
};
