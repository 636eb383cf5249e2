// The curves as a picture: a column for each figure, a row for each of what it may grow with.

const [WIDTH, HEIGHT] = [140, 96];
/** Above the plots, at their left, and between two of them. */
const [TOP, LEFT, GAP] = [64, 220, 72];
const EDGE = 12;

const style = `
  svg { color: #1f2328; font: 11px system-ui, sans-serif }
  @media (prefers-color-scheme: dark) { svg { color: #d1d7e0 } }
  text { fill: currentColor } .faint { opacity: 0.65 } .head { font-weight: 600 }
  .axis { stroke: currentColor; opacity: 0.3 }
  .line { stroke: #2f6fde; stroke-width: 2; fill: none } .dot { fill: #2f6fde }
`;

/** `curves` have `{ row, sizes, points }`, and `figures` say how theirs are called and shown. */
export function draw(curves, figures) {
  const keys = Object.keys(figures);
  const width = LEFT + keys.length * (WIDTH + GAP) - GAP + EDGE;
  const height = TOP + curves.length * (HEIGHT + GAP) + EDGE;
  const parts = keys.map((key, column) => text(left(column), 24, figures[key].title, "head"));
  for (const [line, { row, sizes, points }] of curves.entries()) {
    const y = top(line) + HEIGHT / 2;
    parts.push(text(EDGE, y, row.what, "head"));
    for (const [column, key] of keys.entries()) {
      const values = points.map((point) => point[key].value);
      parts.push(plot(left(column), top(line), sizes, values, figures[key].show));
    }
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>How figures grow</title><style>${style}</style>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}

const left = (column) => LEFT + column * (WIDTH + GAP);
const top = (line) => TOP + line * (HEIGHT + GAP);

/** One curve: sizes are drawn by their logarithms, values from zero on. */
function plot(x0, y0, sizes, values, show) {
  const place = (size) => Math.log10(size + 1);
  const [first, last] = [place(sizes[0]), place(sizes.at(-1))];
  const most = Math.max(...values);
  const dots = sizes.map((size, index) => [
    x0 + ((place(size) - first) / (last - first || 1)) * WIDTH,
    y0 + HEIGHT - (values[index] / most) * HEIGHT,
  ]);
  const base = y0 + HEIGHT;
  const [[firstX, firstY], [lastX, lastY]] = [dots[0], dots.at(-1)];
  const line = dots.map(([x, y]) => `${round(x)},${round(y)}`).join(" ");
  return [
    `<line class="axis" x1="${x0}" y1="${base}" x2="${x0 + WIDTH}" y2="${base}"/>`,
    `<polyline class="line" points="${line}"/>`,
    ...dots.map(([x, y]) => `<circle class="dot" cx="${round(x)}" cy="${round(y)}" r="2.5"/>`),
    text(firstX - 6, firstY + 4, show(values[0]), "", "end"),
    text(lastX, lastY - 8, show(values.at(-1)), "", "end"),
    text(x0, base + 14, sizes[0].toLocaleString("en"), "faint"),
    text(x0 + WIDTH, base + 14, sizes.at(-1).toLocaleString("en"), "faint", "end"),
  ].join("\n");
}

const round = (number) => Math.round(number * 10) / 10;

const text = (x, y, content, kind = "", anchor = "start") =>
  `<text x="${round(x)}" y="${round(y)}" class="${kind}" text-anchor="${anchor}">${content}</text>`;
