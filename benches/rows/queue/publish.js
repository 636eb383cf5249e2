export default {
  what: "publish to a stream, one after the other",
  measure: "publish p50",
  count: 200,
  of: ["client", "rust", "nats-server"],
  // Times the row of that name.
  floor: "put",
  most: 1.5,
};
