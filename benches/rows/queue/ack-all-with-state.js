export default {
  what: "fetch 256 and `ack_all` with 256 rows of state",
  measure: "fetch and ack all with state",
  count: 5_000,
  of: ["rust"],
};
