// The homeserver's worker, whose helpers tell on a channel what they say, and keep it to themselves
// between "hold" and "release".

import "/worker.js";

if (self.name.endsWith(":helper")) {
  const channel = new BroadcastChannel("helpers");
  const { postMessage } = MessagePort.prototype;
  let held;
  MessagePort.prototype.postMessage = function (message) {
    const post = () => {
      channel.postMessage(message.kind);
      postMessage.call(this, message);
    };
    if (held) held.push(post);
    else post();
  };
  channel.onmessage = ({ data }) => {
    const posts = held ?? [];
    held = data === "hold" ? [] : undefined;
    for (const post of posts) post();
    channel.postMessage(`${data}: yes`);
  };
}
