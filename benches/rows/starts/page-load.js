// What somebody waits for who opens the page: its scripts, the wasm, the database, one request.

export default { what: "the page's load to the first answer", figure: "sinceLoad", unit: "time" };
