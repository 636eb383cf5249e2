export default {
  what: "fetch 256 and `ackAck` (Rust: `ack_now`) each",
  measure: "fetch and ackAck",
  count: 5_000,
  of: ["client", "rust", "nats-server"],
};
