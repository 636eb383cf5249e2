export default {
  what: "request and answer between clients (core NATS)",
  measure: "request p50",
  count: 200,
  of: ["client", "nats-server"],
};
