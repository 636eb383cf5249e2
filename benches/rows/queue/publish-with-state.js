export default {
  what: "publish with a row of state, one after the other",
  measure: "publish with state p50",
  count: 200,
  of: ["rust"],
};
