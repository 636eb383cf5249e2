import type { ConsumerStatus, OfflineStatus, Status } from "neurite";

import { bytes, number } from "../ui/format.js";
import { Moving } from "./Moving.js";

/** The queue: what was published, and how far each consumer has come. */
export function Streams({ streams, offline }: Pick<Status, "streams" | "offline">) {
  return (
    <section class="panel-section" aria-labelledby="streams">
      <h3 id="streams">Streams</h3>
      {streams.length + offline.length === 0 && <p class="quiet">None yet.</p>}
      {streams.map((stream) => (
        <article key={stream.name} class="stream" aria-label={`Stream ${stream.name}`}>
          <header>
            <h4 class="mono">{stream.name}</h4>
            <span class="quiet">
              <Moving value={stream.lastSeq} /> published · {number(stream.messages)} kept · {bytes(stream.bytes)}
            </span>
          </header>
          <ul class="plain">
            {stream.consumers.map((consumer) => (
              <Consumer key={consumer.name} consumer={consumer} lastSeq={stream.lastSeq} />
            ))}
            {stream.offlineConsumers.map((consumer) => (
              <li key={consumer.name} class="consumer">
                <Offline what={consumer} />
              </li>
            ))}
          </ul>
        </article>
      ))}
      {offline.map((stream) => (
        <article key={stream.name} class="stream unreadable" aria-label={`Stream ${stream.name}`}>
          <Offline what={stream} />
        </article>
      ))}
    </section>
  );
}

function Consumer({ consumer, lastSeq }: { consumer: ConsumerStatus; lastSeq: number }) {
  const { name, pending, ackPending, ackFloor, setAside } = consumer;
  return (
    <li class="consumer">
      <span class="mono">{name}</span>
      <span class={pending + ackPending > 0 ? "tag busy" : "tag"}>{tell(pending, ackPending)}</span>
      {setAside > 0 && <span class="tag bad">{number(setAside)} set aside</span>}
      <progress max={Math.max(lastSeq, 1)} value={lastSeq === 0 ? 1 : ackFloor} aria-label={`${name}: acknowledged`} />
      <span class="quiet consumer-counts">
        <Moving value={consumer.delivered} /> delivered · <Moving value={ackFloor} /> acknowledged
      </span>
    </li>
  );
}

function Offline({ what: { name, cause } }: { what: OfflineStatus }) {
  return (
    <>
      <span class="mono">{name}</span>
      <span class="tag bad">offline</span>
      <span class="quiet offline-cause">{cause}</span>
    </>
  );
}

function tell(pending: number, ackPending: number): string {
  if (ackPending > 0) return `${number(ackPending)} under way`;
  return pending > 0 ? `${number(pending)} to do` : "up to date";
}
