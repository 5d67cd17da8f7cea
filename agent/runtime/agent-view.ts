// What an agent shows to those that report, send on or display: nothing in it changes anything.

import type { EventRing } from "../model/events.ts";
import type { Evidence } from "./agent-shapes.ts";
import type { JudgedAgent, SiteView } from "./health/site-view.ts";
import type { Status } from "./health/status.ts";
import type { KeySurvey } from "./polling/key-check.ts";

/** The loops of the accepted intent, and the keys that its vault holds. */
interface ServedSite extends SiteView {
  /** Asks the vault; concurrent callers share one round. Throws LinksealError. */
  keySurvey(signal: AbortSignal): Promise<KeySurvey>;
}

export interface AgentView
  extends Pick<JudgedAgent, "memory" | "intent" | "intentDamage" | "journalState"> {
  /** undefined = no intent is served. */
  readonly crew: ServedSite | undefined;
  readonly events: EventRing;
  readonly evidence: Evidence;
  status(): Status;
}
