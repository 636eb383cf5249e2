import type { Status } from "neurite";

import { bytes, number } from "../ui/format.js";
import { Persistence } from "./Persistence.js";

export function Facts({ status }: { status: Status }) {
  const { usage, quota } = status.storage;
  return (
    <section class="panel-section" aria-label="Facts">
      <dl class="facts">
        <div>
          <dt>Name</dt>
          <dd class="mono ellipsis" title={status.serverName}>
            {status.serverName}
          </dd>
        </div>
        <div>
          <dt>Version</dt>
          <dd>{status.version}</dd>
        </div>
        <div>
          <dt>This tab</dt>
          <dd>{status.role === "leader" ? "Leader: runs it" : "Follower: asks the leader’s"}</dd>
        </div>
        <div>
          <dt>Users</dt>
          <dd>{number(status.users)}</dd>
        </div>
        <div>
          <dt>Rooms</dt>
          <dd>{number(status.rooms)}</dd>
        </div>
        <div>
          <dt>Storage</dt>
          <dd>
            {bytes(usage)} <span class="quiet">of {bytes(quota)}</span>
          </dd>
        </div>
        <div>
          <dt>Kept</dt>
          <dd>
            <Persistence />
          </dd>
        </div>
      </dl>
    </section>
  );
}
