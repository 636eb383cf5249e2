// The same without the page itself.

export default { what: "`start()` to the first answer", figure: "sinceStart", unit: "time", most: 3 };
