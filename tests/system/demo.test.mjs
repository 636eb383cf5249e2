// The demo's whole story, as two people at one browser live it. The tests build on each other.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { root } from "../../scripts/project.mjs";
import { LOOKING, Pane, eraseEverything, pressTop } from "./demo-page.mjs";
import { inEachBrowser, serveDemo, TestBrowser } from "./harness.mjs";

const picture = join(root, "tests/system/picture.png");

inEachBrowser((name) => {
  describe(`the demo in ${name}`, () => {
    let server;
    let browser;
    let page;
    let alice;
    let bob;

    const open = async () => {
      page = await browser.open(server.url);
      await page.setViewport({ width: 1280, height: 800 });
      alice = new Pane(page, "First account");
      bob = new Pane(page, "Second account");
    };

    // A story: once a part of it fails, the rest can't be told.
    let broken = false;
    const part = (title, work) =>
      test(title, async () => {
        assert.ok(!broken, "an earlier part failed");
        broken = true;
        await work();
        broken = false;
      });

    before(async () => {
      server = await serveDemo();
      browser = await TestBrowser.launch(name);
      await open();
    });
    after(async () => {
      await browser?.destroy();
      await server?.close();
    });

    part("two people sign up in two panes", async () => {
      await alice.signUp("alice");
      await pressTop(page, "Second account");
      await bob.signUp("bob");
    });

    part("a taken name is told in words", async () => {
      const tab = await browser.open(server.url);
      const third = new Pane(tab, "First account");
      await third.fill("Username", "alice");
      await third.fill("Password", "something else entirely");
      await third.press("Sign up");
      await third.see("Somebody has that name already.");
      await tab.close();
      await page.bringToFront();
    });

    part("one creates a room and invites, the other accepts", async () => {
      await alice.createRoom("Garden");
      await alice.invite("bob");
      await bob.accept("Garden");
      await alice.see("bob joined");
    });

    part("an invitation can be declined", async () => {
      await bob.press("Back to rooms");
      await bob.createRoom("Chess club", { invite: "alice" });
      await alice.press("Back to rooms");
      await alice.decline("Chess club");
      await bob.see("alice declined the invitation");
      await bob.press("Back to rooms");
      await bob.openRoom("Garden");
      await alice.openRoom("Garden");
    });

    part("messages, replies, reactions, edits and deletions arrive", async () => {
      await alice.write("The tomatoes came up overnight");
      await bob.message("The tomatoes came up overnight");
      await bob.reply("The tomatoes came up overnight", "Already?");
      await (await alice.message("Already?")).waitForSelector("::-p-text(The tomatoes came up overnight)");
      await alice.react("Already?", "Heart");
      await bob.reaction("Already?", "❤️, 1: alice");
      await alice.write("Bring a basket");
      await bob.message("Bring a basket");
      await alice.edit("Bring a basket", "Bring two baskets");
      await bob.message("Bring two baskets");
      await bob.seeNoMore("Bring a basket");
      await alice.write("This was nothing");
      await bob.message("This was nothing");
      await alice.delete("This was nothing");
      await bob.seeNoMore("This was nothing");
      await bob.message("Message deleted");
    });

    part("the up arrow edits the last message, Escape leaves it", async () => {
      const field = await alice.find("textbox", "Message");
      await field.focus();
      await page.keyboard.press("ArrowUp");
      await alice.find("textbox", "Edit message");
      await alice.until((pane) => pane.querySelector("textarea").value === "Bring two baskets");
      await page.keyboard.press("Escape");
      await alice.find("textbox", "Message");
      await alice.until((pane) => pane.querySelector("textarea").value === "");
    });

    part("typing, reading and what is unread show on the other side", async () => {
      await bob.fill("Message", "I am on my");
      await alice.see("bob is typing");
      await bob.fill("Message", "");
      await alice.seeNoMore("bob is typing");
      await alice.write("Did you read this?");
      await alice.find("img", "Read by bob");
      await bob.press("Back to rooms");
      await alice.write("And this?");
      await bob.unread(1);
      await bob.openRoom("Garden");
      await bob.message("And this?");
      await bob.press("Back to rooms");
      await bob.unread(0);
      await bob.openRoom("Garden");
    });

    part("a picture arrives", async () => {
      await bob.sendFile(picture);
      await alice.picture();
    });

    part("an encrypted room works between two devices", async () => {
      await alice.press("Back to rooms");
      await alice.createRoom("Surprise party", { encrypted: true, invite: "bob" });
      await bob.press("Back to rooms");
      await bob.accept("Surprise party");
      await alice.see("bob joined");
      await alice.write("Nobody else can read this");
      await bob.message("Nobody else can read this");
      await bob.write("Nor this");
      await alice.message("Nor this");
      await bob.sendFile(picture);
      await alice.picture();
    });

    part("a third person joins from a second tab", async () => {
      const tab = await browser.open(server.url);
      await tab.setViewport({ width: 800, height: 700 });
      const carol = new Pane(tab, "First account");
      await carol.signUp("carol");
      await page.bringToFront();
      await alice.press("Back to rooms");
      await alice.createRoom("Three of us", { invite: "carol" });
      await tab.bringToFront();
      await carol.accept("Three of us");
      await carol.write("Hello from the other tab");
      await page.bringToFront();
      await alice.message("Hello from the other tab");
      await tab.close();
      await alice.press("Back to rooms");
      await alice.openRoom("Surprise party");
    });

    const everythingIsThere = async () => {
      await alice.message("Nor this");
      await alice.picture();
      await bob.message("Nobody else can read this");
      await alice.press("Back to rooms");
      await alice.openRoom("Garden");
      await alice.message("Bring two baskets");
      await alice.reaction("Already?", "❤️, 1: alice");
      await alice.picture();
      await alice.press("Back to rooms");
      await alice.openRoom("Surprise party");
    };

    part("after a reload everything is there", async () => {
      await page.reload();
      await everythingIsThere();
      await alice.write("Sent after the reload");
      await bob.message("Sent after the reload");
    });

    part("after closing the browser everything is there", async () => {
      await browser.close();
      await browser.reopen();
      await open();
      await everythingIsThere();
      await bob.write("Sent after the restart");
      await alice.message("Sent after the restart");
    });

    part("without a network the page loads and works", async () => {
      await server.close();
      await page.reload();
      await everythingIsThere();
      await alice.write("Sent offline");
      await bob.message("Sent offline");
      server = await serveDemo({ port: server.port });
    });

    part("signing out and in again keeps what is not encrypted", async () => {
      await bob.press("Back to rooms");
      await bob.signOut();
      await bob.signIn("bob");
      await bob.openRoom("Garden");
      await bob.message("Bring two baskets");
    });

    part("the look into the homeserver shows what happens", async () => {
      const panel = 'aside[aria-label="The homeserver"]';
      const shows = (text) =>
        page.waitForFunction((panel, text) => document.querySelector(panel)?.innerText.includes(text), LOOKING, panel, text);
      await shows("ROOM_EVENTS");
      await shows("up to date");
      await bob.write("Counted");
      await shows("/send/m.room.message/");
    });

    part("erasing everything begins anew", async () => {
      await eraseEverything(page);
      await alice.find("textbox", "Username");
      await alice.signUp("alice");
    });

    part("nothing went wrong on the way", () => {
      // Firefox breaks off the requests of a page that it is leaving before it tells the page so, and
      // tells of a long poll that ended with the homeserver though nobody waits for it any longer.
      const left =
        name === "firefox"
          ? /^sync (\/sync error|Getting push rules)|Failed to load .*\/sync\?|^The read receipt was not sent/
          : /^$/;
      assert.deepEqual(browser.problems.filter((problem) => !left.test(problem)), []);
    });
  });
});
