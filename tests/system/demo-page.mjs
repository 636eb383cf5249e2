// The demo as its users know it: by what they see and by accessible names, never by its classes.

/** Longest wait for anything on the page, in milliseconds. */
const PATIENCE = 30_000;
/** Not when the page is drawn, which a tab in the background is not. */
export const LOOKING = { timeout: PATIENCE, polling: 50 };

/** One of the demo's two halves: `label` is its name on the page. */
export class Pane {
  constructor(page, label) {
    this.page = page;
    this.label = label;
    this.root = `section[aria-label="${label}"]`;
  }

  /** The dialog that is open in it, all else being out of reach then. */
  get dialog() {
    const dialog = new Pane(this.page, this.label);
    dialog.root = `${this.root} dialog`;
    return dialog;
  }

  async signUp(username, password = `${username}'s password`) {
    await this.fill("Username", username);
    await this.fill("Password", password);
    await this.press("Sign up");
    await this.signedIn();
  }

  async signIn(username, password = `${username}'s password`) {
    await this.press("Sign in instead");
    await this.fill("Username", username);
    await this.fill("Password", password);
    await this.press("Sign in");
    await this.signedIn();
  }

  async signOut() {
    await this.press("Sign out");
    await this.dialog.press("Sign out");
    await this.find("textbox", "Username");
  }

  signedIn() {
    return this.find("button", "New room");
  }

  /** Makes a room and opens it. */
  async createRoom(name, { encrypted = false, invite } = {}) {
    await this.press("New room");
    await this.dialog.fill("Name", name);
    if (invite) await this.dialog.fill("Invite (optional)", invite, "combobox");
    if (encrypted) await this.dialog.press("End-to-end encrypted", "switch");
    await this.dialog.press("Create room");
    await this.roomOpen(name);
  }

  async invite(username) {
    await this.press("People and invitations");
    await this.dialog.fill("Invite somebody", username, "combobox");
    await this.dialog.press("Invite");
    await this.see("was invited.");
    await this.dialog.press("Close");
  }

  async accept(room) {
    await this.find("article", `Invitation to ${room}`);
    await this.press("Accept");
    await this.roomOpen(room);
  }

  async decline(room) {
    await this.find("article", `Invitation to ${room}`);
    await this.press("Decline");
    await this.gone(`article[aria-label="Invitation to ${room}"]`);
  }

  /** Opens a room from the list. */
  async openRoom(name) {
    const button = await this.wait(`nav[aria-label="Rooms"] button ::-p-text(${name})`);
    await button.click();
    await this.roomOpen(name);
  }

  roomOpen(name) {
    return this.wait(`[role="group"][aria-label="${name}"] [role="log"]`);
  }

  async write(text) {
    await this.fill("Message", text);
    await this.page.keyboard.press("Enter");
  }

  /** Does something with the message that says `text`, by its toolbar. */
  async act(text, action) {
    const message = await this.message(text);
    await message.focus();
    const button = await message.waitForSelector(`button[aria-label="${action}"]`, { timeout: PATIENCE });
    await button.click();
  }

  async edit(text, replacement) {
    await this.act(text, "Edit");
    await this.fill("Edit message", replacement);
    await this.page.keyboard.press("Enter");
  }

  async reply(text, answer) {
    await this.act(text, "Reply");
    await this.write(answer);
  }

  async react(text, name) {
    await this.act(text, "React");
    await this.act(text, name);
  }

  async delete(text) {
    await this.act(text, "Delete");
    await this.dialog.press("Delete");
  }

  async sendFile(path) {
    const input = await this.wait('input[type="file"]');
    await input.uploadFile(path);
  }

  /** Waits for a message that says `text`. */
  async message(text) {
    const found = await this.page.waitForFunction(
      (root, text) => {
        const messages = document.querySelectorAll(`${root} [role="log"] article`);
        return [...messages].findLast((message) => message.innerText.includes(text));
      },
      { timeout: PATIENCE, polling: "mutation" },
      this.root,
      text,
    );
    return found.asElement();
  }

  /** Waits until the list says that so many messages are unread. */
  unread(count) {
    return this.until((pane, count) => {
      const [found] = pane.querySelector('nav[aria-label="Rooms"]')?.textContent.match(/\d+(?= unread)/) ?? ["0"];
      return Number(found) === count;
    }, count);
  }

  /** Waits until a picture in the open room has loaded. */
  picture() {
    return this.until((pane) =>
      [...pane.querySelectorAll('[role="log"] img')].some((image) => image.complete && image.naturalWidth > 0),
    );
  }

  /** Waits for the reaction named `name` at the message that says `text`. */
  async reaction(text, name) {
    const message = await this.message(text);
    await message.waitForSelector(`button[aria-label="${name}"]`, { timeout: PATIENCE });
  }

  /** Waits until `text` is on the page. */
  see(text) {
    return this.until((pane, text) => pane.innerText.includes(text), text);
  }

  /** Waits until it is not. */
  seeNoMore(text) {
    return this.until((pane, text) => !pane.innerText.includes(text), text);
  }

  /** Waits until `condition(pane, ...args)`, run in the page, holds. */
  until(condition, ...args) {
    return this.page.waitForFunction(
      `(() => { const pane = document.querySelector(${JSON.stringify(this.root)});
        return pane && (${condition})(pane, ...${JSON.stringify(args)}); })()`,
      LOOKING,
    );
  }

  async fill(name, text, role = "textbox") {
    const field = await this.find(role, name);
    await field.click();
    await this.page.keyboard.down("Control");
    await this.page.keyboard.press("a");
    await this.page.keyboard.up("Control");
    await (text === "" ? this.page.keyboard.press("Backspace") : field.type(text));
  }

  async press(name, role = "button") {
    const button = await this.find(role, name);
    await button.click();
  }

  /** Waits for something by its accessible role and name, and until it can be seen. */
  async find(role, name) {
    const found = await this.page
      .waitForFunction(byRoleAndName, LOOKING, this.root, role, name)
      .catch((cause) => {
        throw new Error(`There is no ${role} "${name}" in the ${this.label.toLowerCase()}'s pane`, { cause });
      });
    return found.asElement();
  }

  wait(selector) {
    return this.page.waitForSelector(`${this.root} ${selector}`, { timeout: PATIENCE });
  }

  gone(selector) {
    return this.page.waitForSelector(`${this.root} ${selector}`, { timeout: PATIENCE, hidden: true });
  }
}

/** Presses one of the buttons above the panes. */
export async function pressTop(page, name) {
  const top = new Pane(page, "Top");
  top.root = "header";
  await top.press(name);
}

/** Erases all that the homeserver and the demo keep; the page then loads anew. */
export async function eraseEverything(page) {
  const panel = new Pane(page, "The homeserver");
  panel.root = "aside";
  await panel.press("Erase everything");
  panel.root = "aside dialog";
  await Promise.all([page.waitForNavigation({ timeout: PATIENCE }), panel.press("Erase everything")]);
}

/**
 * Runs in the page. The browsers' own accessibility trees differ in what they call a password's
 * field and in what a modal dialog hides, so this goes by the specification: ARIA in HTML.
 */
function byRoleAndName(root, role, name) {
  const selectors = {
    article: "article",
    button: "button",
    combobox: "input[list]",
    img: "img, [role=img]",
    switch: "input[role=switch]",
    textbox: "textarea, input:not([type], [list]), input[type=password]",
  };
  const nameOf = (element) =>
    element.getAttribute("aria-label") ??
    [...(element.labels ?? [])].map((label) => label.textContent).join(" ") + element.textContent;
  const plain = (text) => text.replace(/\s+/g, " ").trim();
  return [...document.querySelectorAll(root)]
    .flatMap((part) => [...part.querySelectorAll(selectors[role])])
    .find((element) => plain(nameOf(element)) === name && element.checkVisibility());
}
