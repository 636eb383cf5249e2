import type { MatrixClient, MatrixEvent } from "matrix-js-sdk";
import { useEffect, useState } from "preact/hooks";

import { bytes } from "../ui/format.js";
import { type Attachment, source } from "./media.js";

interface Properties {
  client: MatrixClient;
  event: MatrixEvent;
}

const MAX_WIDTH = 320;
const MAX_HEIGHT = 280;

/** A picture in the chat. Its place is kept while it comes. */
export function Picture({ client, event }: Properties) {
  const attachment = event.getContent<Attachment>();
  const [url, failed, fail] = useSource(client, event, attachment);
  const name = attachment.body ?? "Picture";
  const style = place(attachment);
  if (failed) return <p class="failed-file">The picture could not be shown: {failed}</p>;
  return (
    <a class="picture" style={style} {...(url && { href: url })} target="_blank" rel="noreferrer" aria-label={`Picture: ${name}`}>
      {url && <img src={url} alt={name} onError={() => fail("it does not load.")} />}
    </a>
  );
}

/** Any other file, to download. */
export function FileLink({ client, event }: Properties) {
  const attachment = event.getContent<Attachment>();
  const [url, failed] = useSource(client, event, attachment);
  const name = attachment.filename ?? attachment.body ?? "File";
  const size = attachment.info?.size;
  if (failed) return <p class="failed-file">The file could not be fetched: {failed}</p>;
  return (
    <a class="file" {...(url && { href: url })} download={name}>
      {name} {size !== undefined && <span class="quiet">{bytes(size)}</span>}
    </a>
  );
}

function useSource(
  client: MatrixClient,
  event: MatrixEvent,
  attachment: Attachment,
): [string | undefined, string | undefined, (reason: string) => void] {
  const [url, setUrl] = useState<string>();
  const [failed, setFailed] = useState<string>();
  const mxc = attachment.file?.url ?? attachment.url;
  useEffect(() => {
    let free: (() => void) | undefined;
    let gone = false;
    source(client, attachment).then(
      (found) => {
        if (gone) return found.free();
        free = found.free;
        setUrl(found.url);
      },
      (cause: unknown) => setFailed(cause instanceof Error ? cause.message : String(cause)),
    );
    return () => {
      gone = true;
      free?.();
    };
  }, [client, event, mxc]);
  return [url, failed, setFailed];
}

/** The box that the picture will fill. */
function place({ info }: Attachment): Record<string, string> {
  const { w, h } = info ?? {};
  if (!w || !h || w < 0 || h < 0) return { width: `${MAX_WIDTH / 2}px`, aspectRatio: "1" };
  const scale = Math.min(1, MAX_WIDTH / w, MAX_HEIGHT / h);
  return { width: `${Math.max(48, Math.round(w * scale))}px`, aspectRatio: `${w} / ${h}` };
}
