// What every request costs: this one reads nothing.

export default {
  what: "versions",
  floor: { "service worker": "hop", "homeserver.fetch": "port hop" },
  most: { "service worker": 1.2, "homeserver.fetch": 5 },
  request: ({ anybody }, door) => anybody.get("versions", door),
};
