export default {
  what: "fetch 256 and `ack` each",
  measure: "fetch and ack",
  count: 5_000,
  of: ["client", "rust", "nats-server"],
  least: 1,
};
