// What the page and its workers take beside that: the browser's own reckoning leaves the wasm's out.

export default { what: "memory of the scripts", figure: "scripts", unit: "memory" };
