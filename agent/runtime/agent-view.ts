// The read-only side of the agent, for reports, telemetry and the page.

import type { EventRing } from "../model/events.ts";
import type { Evidence } from "./agent-shapes.ts";
import type { SiteSnapshot } from "./health/site-snapshot.ts";
import type { EvaluatedAgent, SiteView } from "./health/site-view.ts";
import type { Status } from "./health/status.ts";
import type { KeySurvey } from "./polling/key-check.ts";
import type { LoopLag } from "./polling/loop-lag.ts";

/** The loops of the accepted intent, and the keys in its vault. */
interface ServedSite extends SiteView {
  /** Reads the keys from the vault; concurrent callers share one read. Throws LinksealError. */
  keySurvey(signal: AbortSignal): Promise<KeySurvey>;
}

/** The agent as its readers see it: nothing in it changes anything. */
export interface AgentView
  extends Pick<EvaluatedAgent, "memory" | "intent" | "intentDamage" | "journalState"> {
  /** undefined = no intent is in force. */
  readonly supervisor: ServedSite | undefined;
  /** How late the timers of the process ring. */
  readonly loopLag: Pick<LoopLag, "ms">;
  /** Events since the start, the newest in a bounded ring. */
  readonly events: EventRing;
  /** The audit records and the signer of reports. */
  readonly evidence: Evidence;
  /** Takes a snapshot of the site from the newest observations. */
  snapshot(): SiteSnapshot;
  /** Returns the status of a snapshot. */
  status(): Status;
}
