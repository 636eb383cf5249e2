// Core NATS with the official client.

import { headers } from "@nats-io/nats-core";

import { equal, ok, rejection, take } from "./assert.js";

const text = new TextDecoder();
const encode = (string) => new TextEncoder().encode(string);

/** Speaks with a port as no client would: `said(part)` resolves once it has said that. */
async function rawClient(queue) {
  const port = await queue.queue();
  let heard = "";
  let taken = 0;
  let wake = () => {};
  const client = {
    closed: undefined,
    acknowledges: true,
    say: (bytes) => port.postMessage(typeof bytes === "string" ? encode(bytes) : bytes),
    async said(part) {
      while (!heard.includes(part)) {
        if (client.closed) throw new Error(`closed (${client.closed}) after ${heard}`);
        await new Promise((resolve) => (wake = resolve));
      }
      return heard;
    },
    async end() {
      while (!client.closed) await new Promise((resolve) => (wake = resolve));
      return [heard, client.closed];
    },
  };
  port.onmessage = ({ data }) => {
    if (typeof data === "string") client.closed = data;
    else {
      heard = (heard + text.decode(data)).slice(-2000);
      taken += data.length;
      if (client.acknowledges) port.postMessage(taken);
    }
    wake();
  };
  await client.said("INFO {");
  return client;
}

export default {
  async "what is published reaches those who subscribed, by wildcards too"({ nc, client }) {
    const other = await client();
    const heard = [];
    for (const subject of ["a.b", "a.*", "a.>", ">", "b.*"]) {
      nc.subscribe(subject, { callback: (_, message) => heard.push(`${subject}:${message.subject}:${message.string()}`) });
    }
    await nc.flush();
    other.publish("a.b", "one");
    other.publish("a.b.c", "two");
    await other.flush();
    await nc.flush();
    equal(heard.sort(), [">:a.b.c:two", ">:a.b:one", "a.*:a.b:one", "a.>:a.b.c:two", "a.>:a.b:one", "a.b:a.b:one"]);
  },

  async "messages come in order, however large and many"({ nc, client }) {
    const other = await client();
    const subscription = nc.subscribe("numbers");
    await nc.flush();
    const count = 5000;
    for (let index = 0; index < count; index++) other.publish("numbers", String(index));
    const messages = await take(subscription, count);
    ok(messages.every((message, index) => message.string() === String(index)));
    const large = new Uint8Array(1024 * 1024);
    for (let index = 0; index < large.length; index++) large[index] = index % 251;
    const answer = nc.subscribe("large", { max: 1 });
    await nc.flush();
    other.publish("large", large);
    const [{ data }] = await take(answer, 1);
    equal(data.length, large.length);
    ok(data.every((byte, index) => byte === index % 251));
  },

  async "a queue group shares what comes"({ nc, client }) {
    const counts = [0, 0, 0];
    const workers = await Promise.all(
      counts.map(async (_, index) => {
        const worker = await client();
        worker.subscribe("work", { queue: "workers", callback: () => counts[index]++ });
        await worker.flush();
        return worker;
      }),
    );
    for (let index = 0; index < 90; index++) nc.publish("work");
    await nc.flush();
    for (const worker of workers) await worker.flush();
    equal(counts.reduce((sum, count) => sum + count), 90);
    ok(counts.every((count) => count > 0), `${counts}`);
  },

  async "headers travel with a message"({ nc }) {
    const subscription = nc.subscribe("with.headers");
    const sent = headers();
    sent.append("Name", "one");
    sent.append("Name", "two");
    sent.set("Other", "ünïcode");
    nc.publish("with.headers", "text", { headers: sent });
    nc.publish("with.headers", "none");
    const [first, second] = await take(subscription, 2);
    equal(first.headers.values("Name"), ["one", "two"]);
    equal(first.headers.get("Other"), "ünïcode");
    equal([first.string(), second.string(), second.headers], ["text", "none", undefined]);
  },

  async "a request is answered"({ nc, client }) {
    const service = await client();
    service.subscribe("double", { callback: (_, message) => message.respond(String(2 * Number(message.string()))) });
    await service.flush();
    const answers = await Promise.all([1, 2, 3].map((number) => nc.request("double", String(number))));
    equal(answers.map((answer) => answer.string()), ["2", "4", "6"]);
    const many = await nc.requestMany("double", "4", { strategy: "count", maxMessages: 1 });
    equal((await take(many, 1)).map((answer) => answer.string()), ["8"]);
    const alone = await nc.request("double", "5", { noMux: true, timeout: 5000 });
    equal(alone.string(), "10");
  },

  async "who asks nobody is told at once"({ nc }) {
    const begun = performance.now();
    const error = await rejection(nc.request("nobody.is.there", "", { timeout: 30_000 }));
    ok(error.isNoResponders(), String(error));
    ok(performance.now() - begun < 5000);
  },

  async "a subscription ends after the number it was given, or when drained"({ nc, client }) {
    const other = await client();
    const three = nc.subscribe("count", { max: 3 });
    const drained = nc.subscribe("count");
    await nc.flush();
    for (let index = 0; index < 5; index++) other.publish("count", String(index));
    await other.flush();
    await nc.flush();
    await drained.drain();
    const heard = await take(drained, 5);
    equal(heard.length, 5);
    const first = [];
    for await (const message of three) first.push(message.string());
    equal(first, ["0", "1", "2"]);
    equal(three.isClosed() && drained.isClosed(), true);
  },

  async "a client drains and is closed"({ client, nc }) {
    const other = await client();
    let heard = 0;
    other.subscribe("last", { callback: () => heard++ });
    await other.flush();
    for (let index = 0; index < 100; index++) nc.publish("last");
    await nc.flush();
    await other.drain();
    equal([heard, other.isClosed()], [100, true]);
    equal(await other.closed(), undefined);
  },

  async "a client may want no echo"({ client, nc }) {
    const quiet = await client({ noEcho: true });
    const heard = [];
    quiet.subscribe("echo", { callback: (_, message) => heard.push(message.string()) });
    await quiet.flush();
    quiet.publish("echo", "mine");
    nc.publish("echo", "another's");
    await nc.flush();
    await quiet.flush();
    equal(heard, ["another's"]);
  },

  async "the server says what it is"({ nc }) {
    const { info } = nc;
    equal([info.version, info.api_lvl, info.headers, info.jetstream], ["2.14.0", 4, true, true]);
    equal(info.max_payload, 1024 * 1024);
    const context = await nc.context();
    equal(context.data.account, "$G");
    ok((await nc.rtt()) >= 0);
  },

  async "a message that is too large is refused, and ends a client that sends it all the same"({ nc, queue }) {
    const large = new Uint8Array(1024 * 1024 + 1);
    ok(/max_payload|payload/i.test((await rejection((async () => nc.publish("a", large))())).message));
    const raw = await rawClient(queue);
    raw.say(`PUB a ${large.length}\r\n`);
    const [heard, reason] = await raw.end();
    ok(heard.endsWith("-ERR 'Maximum Payload Violation'\r\n"), heard);
    equal(reason, "Maximum Payload Violation");
    await nc.flush();
  },

  async "what is no command ends that client alone"({ nc, queue }) {
    const [one, two] = [await rawClient(queue), await rawClient(queue)];
    one.say("SUB a 1\r\nNONSENSE\r\n");
    const [heard, reason] = await one.end();
    ok(heard.endsWith("-ERR 'Unknown Protocol Operation'\r\n"), heard);
    equal(reason, "Unknown Protocol Operation");
    two.say("PI");
    two.say("NG\r");
    two.say(encode("\nPING\r\n").buffer);
    await two.said("PONG\r\nPONG\r\n");
    await nc.flush();
  },

  async "a client that does not take what it is sent is left"({ nc, queue }) {
    const slow = await rawClient(queue);
    slow.acknowledges = false;
    slow.say('CONNECT {"verbose":false}\r\nSUB flood 1\r\nPING\r\n');
    await slow.said("PONG");
    const part = new Uint8Array(1024 * 1024);
    for (let sent = 0; sent < 66 && !slow.closed; sent++) {
      nc.publish("flood", part);
      await nc.flush();
    }
    const [heard, reason] = await slow.end();
    ok(heard.endsWith("-ERR 'Slow Consumer'\r\n"));
    equal(reason, "Slow Consumer");
  },
};
