export default {
  what: "publish with a row of state, 256 in flight",
  measure: "publish with state rate",
  count: 10_000,
  of: ["rust"],
};
