export default {
  what: "one strict IndexedDB put (client: through a port; Rust: in the worker)",
  measure: "put p50",
  count: 200,
  of: ["client", "rust"],
};
