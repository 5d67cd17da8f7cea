// Reports that take many requests to devices, vault and Azure: however many clients ask, one is
// made at a time, and all who ask meanwhile get the next one.

import type { Clock } from "#hal/world.ts";
import { makeScorecard, type Scorecard } from "../evidence/scorecard/scorecard.ts";
import { type DoctorReport, doctorReport } from "../operate/doctor/report.ts";
import type { Agent } from "../runtime/agent.ts";
import { SharedAnswer } from "../runtime/polling/shared-answer.ts";

/** The reports of one agent, for the clients of all its sockets. */
export class SharedReports {
  readonly doctor: Pick<SharedAnswer<DoctorReport>, "get">;
  readonly scorecard: Pick<SharedAnswer<Scorecard>, "get">;

  constructor(agent: Agent, clock: Pick<Clock, "now" | "sleep" | "wall">) {
    this.doctor = new SharedAnswer(clock, (signal) => doctorReport(agent, clock.wall(), signal));
    this.scorecard = new SharedAnswer(clock, (signal) => makeScorecard(agent, signal));
  }
}
