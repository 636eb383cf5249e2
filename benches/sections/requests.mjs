// Requests beside their floor: what the browser takes when next to nothing answers them.

import { atLeast, atMost, inTurns, milliseconds, table, whole } from "../harness.mjs";
import { withHome } from "../homeserver/open.mjs";
import { step } from "../../scripts/steps.mjs";

const WIDTH = 32;

/** The quicker door is sampled more often, so that a moment's noise weighs no more there. */
const often = { "service worker": 1, "homeserver.fetch": 5 };

export default {
  title: "Requests",
  measure: (rows, { browser, quick }) =>
    withHome(browser, async (pages) => {
      const scale = { ...pages, samples: quick ? 50 : 100, rounds: quick ? 2 : 15 };
      const [latencies, rates, notes] = [[], [], []];
      for (const row of rows) {
        const perSecond = {};
        for (const door of Object.keys(row.floor)) {
          await step(`${row.what}, ${door}`, async () => latencies.push(await latency(row, door, scale)));
          await step(`${row.what}, ${door}, ${WIDTH} at a time`, async () => {
            const [floor, home] = await rate(row, door, scale);
            perSecond[door] = home;
            rates.push([row.what, door, whole(home), `${whole(floor)} (${row.floor[door]})`, (home / floor).toFixed(2)]);
          });
        }
        if (row.doors) notes.push(comparison(row, perSecond));
      }
      return [
        "One after the other:\n",
        table(["what", "door", "p50", "floor p50", "our own", "times the floor", "bar"], latencies),
        `\n${WIDTH} at a time:\n`,
        table(["what", "door", "a second", "floor a second", "of the floor"], rates),
        ...notes,
      ].join("\n");
    }),
};

async function latency(row, door, { floor, home, samples, rounds }) {
  const [beneath, time] = await inTurns(rounds, [
    [floor, "one", row.floor[door], samples * often[door]],
    [home, "one", row.path, door, samples * often[door]],
  ]);
  return [
    row.what,
    door,
    milliseconds(time),
    `${milliseconds(beneath)} (${row.floor[door]})`,
    milliseconds(time - beneath),
    (time / beneath).toFixed(2),
    atMost(time / beneath, row.most[door]),
  ];
}

function rate(row, door, { floor, home, samples, rounds }) {
  return inTurns(rounds, [
    [floor, "many", row.floor[door], samples * 5, WIDTH],
    [home, "many", row.path, door, samples * 5, WIDTH],
  ]);
}

function comparison({ what, doors }, perSecond) {
  const ratio = perSecond["homeserver.fetch"] / perSecond["service worker"];
  return (
    `\nBy \`homeserver.fetch\`, ${what} is answered ${ratio.toFixed(1)} times as often a second as ` +
    `through the service worker; ${atLeast(ratio, doors)}.`
  );
}
