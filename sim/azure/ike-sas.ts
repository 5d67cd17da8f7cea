// The IKE SAs of a connection as `getikesas` returns them: one operation with a result, a JSON text
// in a JSON string.

import { createHash } from "node:crypto";
import type { Site } from "../site/site.ts";
import type { PlannedTunnel } from "../site/site-plan.ts";
import { sharing } from "./estate.ts";

interface Asked {
  readonly tunnel: PlannedTunnel;
  /** The id of the connection. */
  readonly connection: string;
}

const lifeTimeSeconds = 28_800;

/** Runs the operations that read IKE SAs; each result is that of the moment at which it is read. */
export class IkeSas {
  readonly #site: Site;
  readonly #asked = new Map<string, Asked>();

  constructor(site: Site) {
    this.#site = site;
  }

  /** Begins an operation under a name. */
  begin(name: string, asked: Asked): void {
    this.#asked.set(name, asked);
  }

  /** Returns the connection of an operation; undefined if there is no such operation. */
  connectionOf(name: string): string | undefined {
    return this.#asked.get(name)?.connection;
  }

  /** Returns the result of an operation, JSON text; undefined if there is no such operation. */
  result(name: string): string | undefined {
    const asked = this.#asked.get(name);
    if (asked === undefined) return undefined;
    const truths = this.#site.tunnelTruth();
    const up = sharing(this.#site, asked.tunnel).filter(({ name }) =>
      truths.some((one) => one.name === name && one.up),
    );
    return `[${up.map(mainModeText).join()}]`;
  }
}

// The cookies have 64 bits, which a number of JavaScript cannot hold. The site has no SPIs of child
// SAs, so that none is listed.
function mainModeText({ name, localAddress, remoteAddress }: PlannedTunnel): string {
  const digest = createHash("sha256").update(name).digest();
  const rest = {
    ...{ localUdpEncapsulationPort: 0, remoteUdpEncapsulationPort: 0 },
    ...{ encryption: "GCMAES256", integrity: "SHA384", dhGroup: "ECP384", lifeTimeSeconds },
    ...{ isSaInitiator: false, elapsedTimeInseconds: 0, quickModeSa: [] },
  };
  const ends = { localEndpoint: remoteAddress, remoteEndpoint: localAddress };
  const cookies =
    `"initiatorCookie":${digest.readBigUInt64BE(0)},` +
    `"responderCookie":${digest.readBigUInt64BE(8)}`;
  const [first, last] = [JSON.stringify(ends), JSON.stringify(rest)];
  return `${first.slice(0, -1)},${cookies},${last.slice(1)}`;
}
