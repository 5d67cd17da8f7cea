// Reports that take many requests to devices, vault and Azure, or much of the processor: however
// many clients ask, one is made at a time, and all who ask meanwhile get the next one.

import { encodeJson } from "#hal/json.ts";
import type { Clock } from "#hal/world.ts";
import { makeScorecard, type Scorecard } from "../evidence/scorecard/scorecard.ts";
import { type DoctorReport, doctorReport } from "../operate/doctor/report.ts";
import type { Agent } from "../runtime/agent.ts";
import { SharedAnswer } from "../runtime/polling/shared-answer.ts";
import { EncodedAnswer } from "./encoded-answer.ts";

/**
 * The status is made for a tenth of the time at most: with 1,000 links it takes milliseconds. On a
 * computer that stalls it is made once a second.
 */
const statusRestMs = (tookMs: number): number => Math.min(tookMs * 9, 1_000);

/** The reports of one agent, for the clients of all its sockets. */
export class SharedReports {
  readonly status: Pick<SharedAnswer<EncodedAnswer>, "get">;
  readonly doctor: Pick<SharedAnswer<DoctorReport>, "get">;
  readonly scorecard: Pick<SharedAnswer<Scorecard>, "get">;

  constructor(agent: Agent, clock: Pick<Clock, "now" | "sleep" | "wall">) {
    this.status = new SharedAnswer(
      clock,
      async () => new EncodedAnswer(encodeJson(agent.status())),
      statusRestMs,
    );
    this.doctor = new SharedAnswer(clock, (signal) => doctorReport(agent, clock.wall(), signal));
    this.scorecard = new SharedAnswer(clock, (signal) => makeScorecard(agent, signal));
  }
}
