// What people wait for.

import { ask, atMost, milliseconds, table } from "../harness.mjs";
import { withHome } from "../homeserver/open.mjs";
import { step } from "../../scripts/steps.mjs";

export default {
  title: "What people wait for",
  measure: (rows, { browser, quick }) =>
    withHome(browser, async ({ home }) => {
      await home.bringToFront();
      const lines = [];
      for (const row of rows) {
        const samples = Math.ceil(quick ? row.samples / 2 : row.samples);
        for (const door of row.doors) {
          const measure = () => ask(home, "call", row.path, "measure", door, samples);
          const { result } = await step(`${row.what}, ${door}`, measure);
          lines.push([row.what, door, milliseconds(result.time), ...compared(row, result)]);
        }
      }
      return table(["what", "door", "time", "beside", "times", "bar"], lines);
    }),
};

function compared({ beside: what, most }, { time, beside }) {
  if (!what) return ["", "", ""];
  return [`${milliseconds(beside)} ${what}`, (time / beside).toFixed(2), atMost(time / beside, most)];
}
