export default {
  what: "fetch 256 and `ack` each with a row of state",
  measure: "fetch and ack with state",
  count: 5_000,
  of: ["rust"],
};
