// What the wasm has taken of the machine's memory by then: it gives nothing back.

export default { what: "linear memory of the wasm", figure: "linear", unit: "memory" };
