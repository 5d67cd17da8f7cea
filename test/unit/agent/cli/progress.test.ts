// The command that follows a campaign, before an agent whose ring of events has dropped some.

import { expect, it } from "vitest";
import { eventLine, follow } from "#agent/cli/progress.ts";
import { Session } from "#agent/cli/session.ts";
import type { EventsAfter, LinksealEvent } from "#agent/model/events.ts";

const event: LinksealEvent = {
  ...{ schema: "linkseal.event/1", n: 99, at: "2026-11-24T10:00:00Z", code: "verdict" },
  ...{ about: "site", text: "an event", severity: "info" },
};

class Dropping extends Session {
  readonly notes: string[] = [];
  readonly #lost: number;

  constructor(lost: number) {
    super({});
    this.#lost = lost;
  }

  override async view<T>(path: string): Promise<T> {
    const found: EventsAfter = { events: [event], lost: this.#lost };
    return (path.startsWith("/v1/events?after=3&") ? found : { campaigns: [] }) as T;
  }

  override note(text: string): void {
    this.notes.push(text);
  }
}

it.each([
  [0, []],
  [1, [expect.stringMatching(/^1 event was missed: /)]],
  [95, [expect.stringMatching(/^95 events were missed: .*linkseal report/)]],
])(
  "issue 32: of %i events that the agent has dropped a follower is informed",
  async (lost, said) => {
    const session = new Dropping(lost);
    await follow(session, { groups: [], after: 3, until: "ended", quietMs: 0 });
    expect(session.notes).toEqual([...said, eventLine(event)]);
  },
);
