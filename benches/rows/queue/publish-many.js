export default {
  what: "publish to a stream, 256 in flight",
  measure: "publish rate",
  count: 10_000,
  of: ["client", "rust", "nats-server"],
  // Times what nats-server manages.
  least: 1,
};
