// What a page loads before it can start.

export default { what: "each wasm module, as it is and as servers pack it" };
