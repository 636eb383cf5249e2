// Takes the README's pictures of the demo anew: docs/screenshots/*.png.
//
//   npm run screenshots

import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { build } from "./build.mjs";
import { root } from "./project.mjs";
import { setup, setupTests } from "./setup.mjs";
import { Failure, main, run, step, which } from "./steps.mjs";

const folder = join(root, "docs/screenshots");

/** Letters and emoji as people have them on their own machines. */
const fonts = { "fonts-inter": "Inter", "fonts-noto-color-emoji": "Noto Color Emoji" };

const sizes = {
  desktop: { width: 1280, height: 800, deviceScaleFactor: 1 },
  phone: { width: 390, height: 844, deviceScaleFactor: 2 },
};

async function installFonts() {
  const known = which("fc-list") ? await run("fc-list", [":", "family"]) : "";
  const missing = Object.keys(fonts).filter((name) => !known.includes(fonts[name]));
  if (missing.length === 0) return;
  if (!which("apt-get") || process.getuid?.() !== 0) {
    throw new Failure(`The pictures need these fonts: ${missing.map((name) => fonts[name]).join(", ")}.`);
  }
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await step(missing.join(", "), async () => {
    await run("apt-get", ["update"], { env });
    await run("apt-get", ["install", "-y", "--no-install-recommends", ...missing], { env });
  });
}

/** Two people in a room, on the page that is left as it is then. */
async function chat(page, { Pane, pressTop }) {
  const ada = new Pane(page, "First account");
  const ben = new Pane(page, "Second account");
  await ada.signUp("ada");
  await pressTop(page, "Second account");
  await ben.signUp("ben");
  await ada.createRoom("Book club", { invite: "ben" });
  await ben.accept("Book club");
  await ada.write("Which one shall we read next?");
  await ben.message("Which one");
  await ben.press("Back to rooms");
  await ada.press("Back to rooms");
  await ada.createRoom("Garden", { encrypted: true, invite: "ben" });
  await ben.accept("Garden");
  await ada.see("ben joined");
  await ada.write("The tomatoes came up overnight 🌱");
  await ben.message("The tomatoes");
  await ben.react("The tomatoes", "Party");
  await ben.write("Already? I only planted them on Sunday.");
  await ada.message("Already?");
  await ada.reply("Already?", "Must be the rain. Have a look:");
  await ben.message("Must be the rain");
  await ada.sendFile(join(root, "tests/system/picture.png"));
  await ben.picture();
  await ben.write("Beautiful! On my way");
  await ada.message("Beautiful");
  await ada.react("Beautiful", "Heart");
  await ben.reaction("Beautiful", "❤️, 1: ada");
  return [ada, ben];
}

async function take() {
  const { TestBrowser, serveDemo } = await import("../tests/system/harness.mjs");
  const demo = await import("../tests/system/demo-page.mjs");
  await mkdir(folder, { recursive: true });
  const server = await serveDemo();
  const browser = await TestBrowser.launch("chromium");
  try {
    const page = await browser.open();
    const picture = async (name, size, scheme) => {
      await page.setViewport(sizes[size]);
      await page.mouse.move(0, 0);
      await page.evaluate(() => document.activeElement?.blur());
      await page.emulateMediaFeatures([
        { name: "prefers-color-scheme", value: scheme },
        { name: "prefers-reduced-motion", value: "reduce" },
      ]);
      await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
      await page.screenshot({ path: join(folder, `${name}.png`) });
    };
    await page.setViewport(sizes.desktop);
    await page.goto(server.url);
    const [ada, ben] = await chat(page, demo);
    await picture("desktop-light", "desktop", "light");
    await picture("desktop-dark", "desktop", "dark");
    await ben.press("Back to rooms");
    await ben.openRoom("Book club");
    await ben.write("How about something by Le Guin?");
    await demo.pressTop(page, "Second account");
    await ada.unread(1);
    await picture("desktop-one-account-light", "desktop", "light");
    await demo.pressTop(page, "Homeserver");
    await picture("phone-room-light", "phone", "light");
    await ada.press("Back to rooms");
    await picture("phone-rooms-dark", "phone", "dark");
    await demo.pressTop(page, "Homeserver");
    await page.waitForSelector('aside[aria-label="The homeserver"] td');
    await picture("phone-homeserver-dark", "phone", "dark");
  } finally {
    await browser.destroy();
    await server.close();
  }
}

await main(async () => {
  await setup();
  await setupTests();
  await installFonts();
  await build();
  await step("screenshots", take);
});
