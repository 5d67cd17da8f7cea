// The protocol of the two sockets: who may ask what, and an answer to whatever is asked.

import { beforeAll, describe, expect, it } from "vitest";
import { answer } from "#agent/api/api.ts";
import type { SocketRole } from "#agent/api/route.ts";
import { routes } from "#agent/api/routes.ts";
import { unknownClient } from "#agent/model/client.ts";
import { errorFromShape, errorShape } from "#agent/model/error-shape.ts";
import { campaignShape } from "#agent/rotation/campaign-shape.ts";
import { type ErrorCode, errorRows, LinksealError } from "#hal/error.ts";
import type { WallTime } from "#hal/world.ts";
import { AgentBench, group } from "../../kit/agent-bench.ts";
import { apiWorld } from "../../kit/api-world.ts";
import { campaignOf } from "../../kit/campaign-kit.ts";

const names = Object.keys(routes);
let bench: AgentBench;

beforeAll(async () => {
  bench = new AgentBench("clear");
  await bench.live();
  await bench.apply();
  await bench.reach("secondary done");
  // Until the last warning of the campaign is over.
  await bench.run(300_000);
});

/** A reader of the view socket may read in a browser too: the verb makes a code. */
const codeRoute = "POST /v1/page/code";

describe("who may ask", () => {
  it.each(names)("%s is answered on the sockets of its role alone", async (name) => {
    const { role } = routes[name] as { role: SocketRole };
    const { status, body } = await bench.reply(name, "", "view");
    if (role === "view") expect(status).not.toBe(403);
    else
      expect({ status, ...JSON.parse(body) }).toMatchObject({
        status: 403,
        code: "agent.forbidden",
      });
    expect(name.startsWith("GET ") || name === codeRoute ? "view" : "admin").toBe(role);
  });

  it("every route has a title, which the protocol's reference shows", () => {
    for (const { title } of Object.values(routes)) expect(title).toMatch(/^[A-Z].{15,}/);
  });
});

describe("what is asked wrongly", () => {
  const wrong: readonly (readonly [string, unknown, string])[] = [
    ["GET /v1/nothing", "", "no such request"],
    ["PUT /v1/status", "", "no such request"],
    ["GET /", "", "no such request"],
    ["GET constructor", "", "no such request"],
    ["GET __proto__", "", "no such request"],
    ["POST /v1/apply", "{", "not JSON"],
    ["POST /v1/apply", "[]", "not a JSON object"],
    ["POST /v1/apply", "null", "not a JSON object"],
    ["POST /v1/apply", "7", "not a JSON object"],
    ["POST /v1/apply", {}, 'lacks the text "text"'],
    ["POST /v1/apply", { text: 7, file: "x" }, 'lacks the text "text"'],
    ["POST /v1/apply", { text: "version: 1" }, 'lacks the text "file"'],
    ["POST /v1/apply", { text: "", file: "x" }, 'lacks the text "text"'],
    ["POST /v1/plan", { text: [] }, 'lacks the text "text"'],
    ["POST /v1/enrol", { target: group, risks: "breakBeforeMake" }, "not a list"],
    ["POST /v1/enrol", { target: group, risks: [7] }, "not a list"],
    ["POST /v1/enrol", { target: group, risks: ["breakEverything"] }, "no risk named"],
    ["POST /v1/enrol", { target: "gone" }, "names no such group or link"],
    ["POST /v1/adopt", {}, 'lacks the text "target"'],
    ["POST /v1/rotate", {}, 'lacks the text "target"'],
    ["POST /v1/rotate", { target: group, urgency: "now" }, "planned or emergency"],
    ["POST /v1/rotate", { target: group, risks: ["breakEverything"] }, "no risk named"],
    ["POST /v1/rotate/plan", {}, 'lacks the text "target"'],
    ["POST /v1/rotate/plan", { target: "gone" }, "names no such group or link"],
    ["POST /v1/rotate/twin", { target: "constructor" }, "names no such group or link"],
    ["POST /v1/drain", {}, 'lacks the text "link"'],
    ["POST /v1/drain", { link: group }, "one link at a time"],
    ["POST /v1/undrain", { link: `${group}/gone` }, "names no such group or link"],
    ["POST /v1/retire", { name: "constructor" }, "no such link is managed"],
    ["POST /v1/retire", { name: `${group}/gone` }, "no such link is managed"],
    ["POST /v1/rotation/proceed", {}, 'lacks the text "group"'],
    ["POST /v1/config/rollback", { number: -1 }, "whole number"],
    ["POST /v1/config/rollback", { number: 1.5 }, "whole number"],
    ["POST /v1/config/rollback", { number: 9 }, "no config of that number"],
    ["GET /v1/config/diff", "", "whole number"],
    ["GET /v1/config/diff?number=9", "", "no accepted intent 9"],
    ["GET /v1/events?after=x", "", "whole number"],
    ["GET /v1/events?waitMs=-5", "", "whole number"],
    ["POST /v1/journal/accept-loss", "", "not broken"],
  ];
  it.each(wrong)("%s with %j is refused as a usage error", async (path, body, text) => {
    const { status, body: replyBody } = await bench.reply(path, body);
    expect(status).toBe(400);
    expect(JSON.parse(replyBody)).toMatchObject({
      schema: "linkseal.error/1",
      code: "usage",
      effect: "none",
      text: expect.stringContaining(text),
    });
  });

  it("a request body beyond two million characters is refused", async () => {
    const body = JSON.stringify({ text: "x".repeat(2_000_001), file: "x" });
    expect(await bench.ask("POST /v1/apply", body)).toMatchObject({
      text: expect.stringMatching(/too long/),
    });
  });

  it.each(["constructor", "__proto__", "toString"])(
    "there is no campaign of a group named %s",
    async (name) => {
      for (const verb of ["proceed", "resume", "abandon"]) {
        const replyBody = await bench.ask(`POST /v1/rotation/${verb}`, { group: name });
        expect(replyBody).toMatchObject({ code: "gate.busy", text: "no campaign runs there" });
      }
    },
  );

  const shown: readonly unknown[] = [null, 7, [], { steps: null }, { steps: [null] }, "x"];
  it.each(shown)("an apply with the shown plan %j does not break the agent", async (plan) => {
    const body = { text: bench.config(), file: "demo.yaml", shown: plan };
    expect(await bench.ask("POST /v1/apply", body)).toMatchObject({ kind: "changed" });
  });

  it("an apply with a plan that is nested without end is refused", async () => {
    const deep = `{"steps":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
    const body = `{"text":${JSON.stringify(bench.config())},"file":"x","shown":${deep}}`;
    expect(await bench.ask("POST /v1/apply", body)).toMatchObject({
      ...{ code: "usage", effect: "none" },
      text: expect.stringMatching(/nested too deeply/),
    });
  });

  it("an apply with a config that is nested without end, or with none, is refused", async () => {
    for (const text of [
      "[".repeat(100_000),
      "{".repeat(100_000),
      "a: ".repeat(50_000),
      "\0",
      "&a",
    ]) {
      const replyBody = await bench.ask("POST /v1/plan", { text, file: "x" });
      expect(replyBody).toMatchObject({ complaints: [{}] });
    }
  });
});

describe("what is asked rightly", () => {
  it.each([
    ["GET /v1/status", { schema: "linkseal.status/1", site: "demo" }],
    ["GET /v1/keys", { schema: "linkseal.keys/1", keys: [{ usedBy: ["router", "farEnd"] }, {}] }],
    ["GET /v1/config", { number: 1, who: "test" }],
    ["GET /v1/config/history", { history: [{ number: 1 }] }],
    ["GET /v1/config/diff?number=1", { diff: "" }],
    ["GET /v1/journal", { state: "whole" }],
    ["GET /v1/rotation", { campaigns: [{ group, state: "done" }] }],
    [`GET /v1/rotation?group=${group}`, { campaigns: [{ group }] }],
    ["GET /v1/rotation?group=constructor", { campaigns: [] }],
    ["GET /v1/events?after=0", { events: [{ n: 1, schema: "linkseal.event/1" }] }],
  ])("%s answers with its documented shape", async (path, shape) => {
    const { status, body } = await bench.reply(path, "", "view");
    expect(status).toBe(200);
    const replyBody = JSON.parse(body);
    if ("events" in replyBody) replyBody.events = replyBody.events.slice(0, 1);
    expect(replyBody).toMatchObject(shape);
  });

  it("a plan without a text plans the config in force again, and finds nothing to do", async () => {
    expect(await bench.ask("POST /v1/plan")).toMatchObject({ plan: { wouldChange: false } });
  });
});

describe("events", () => {
  it("a long poll for events ends as soon as one comes", async () => {
    const { clock } = bench.site;
    const last = bench.agent.events.after(0).events.at(-1)?.n ?? 0;
    const waits = bench.ask(`GET /v1/events?after=${last}&waitMs=30000`, "", "view");
    const started = clock.now();
    clock.after(2_000, () => {
      bench.agent.events.add(clock.wall(), "test", "nothing", "something happened");
      clock.wake();
    });
    expect(await waits).toMatchObject({ events: [{ n: last + 1, code: "test" }] });
    expect(clock.now() - started).toBeLessThan(10_000);
  });

  it("a long poll for events ends after the wait asked for, at most half a minute", async () => {
    const { clock } = bench.site;
    const last = bench.agent.events.after(0).events.at(-1)?.n ?? 0;
    const started = clock.now();
    const replyBody = await bench.ask(`GET /v1/events?after=${last}&waitMs=999999999`, "", "view");
    expect(replyBody).toEqual({ events: [], lost: 0 });
    expect(clock.now() - started).toBeLessThanOrEqual(31_000);
  });

  it("sixteen long polls of one user are admitted, and still those of another", async () => {
    const { clock } = bench.site;
    const gone = new AbortController();
    const path = `/v1/events?after=${bench.agent.events.count}&waitMs=30000`;
    const world = apiWorld(bench.agent, clock);
    const poll = async (uid: number): Promise<number> => {
      const client = { ...unknownClient("view"), uid };
      const request = { method: "GET", path, body: "", client };
      return (await answer(bench.agent, request, world, gone.signal)).status;
    };
    const admitted = [...Array.from({ length: 16 }, () => 7), 8].map(poll);
    const beyond = await Promise.race([poll(7), clock.runFor(1_000)]);
    gone.abort();
    expect(beyond).toBe(429);
    expect(await Promise.all(admitted)).toEqual(admitted.map(() => 200));
  });

  it("a long poll for events ends when the client goes", async () => {
    const { clock } = bench.site;
    const gone = new AbortController();
    const last = bench.agent.events.after(0).events.at(-1)?.n ?? 0;
    const path = `/v1/events?after=${last}&waitMs=30000`;
    const request = { method: "GET", path, body: "", client: unknownClient("view") };
    const world = apiWorld(bench.agent, clock);
    const reply = answer(bench.agent, request, world, gone.signal);
    gone.abort();
    expect((await reply).status).toBe(200);
  });

  it("a client with a number of an earlier agent gets all events from the start", async () => {
    const replyBody = await bench.ask("GET /v1/events?after=999999&waitMs=30000", "", "view");
    expect((replyBody as { events: unknown[] }).events.length).toBeGreaterThan(0);
  });
});

describe("an error", () => {
  it.each(Object.keys(errorRows) as ErrorCode[])(
    "an error %s is the same at the other end of the socket",
    (code) => {
      for (const effect of ["none", "unknown", "applied"] as const) {
        const error = new LinksealError(code, "text", {
          effect,
          where: "edge-a",
          next: "linkseal x",
        });
        const back = errorFromShape(JSON.parse(JSON.stringify(errorShape(error))));
        expect(back).toMatchObject({
          code,
          effect,
          where: "edge-a",
          next: "linkseal x",
          message: "text",
        });
      }
    },
  );

  it.each([undefined, null, 7, "x", [], {}, { code: "nonsense", text: "x" }, { code: "usage" }])(
    "is not %j",
    (value) => expect(errorFromShape(value)).toBeUndefined(),
  );

  it("an error without an effect has the effect unknown", () => {
    expect(errorFromShape({ code: "usage", text: "x" })?.effect).toBe("unknown");
  });
});

describe("a campaign as scripts read it", () => {
  it("a campaign has the documented shape of linkseal.campaign/1", () => {
    const trail = [
      { at: 0 as WallTime, link: "primary", state: "queued", reason: { code: "begin.asked" } },
    ] as const;
    const campaign = campaignOf("held", { heldFrom: "proving" });
    const beside = { rest: undefined, farEnd: null, until: undefined, ahead: [] };
    expect(campaignShape(campaign, { ...beside, trail })).toMatchObject({
      schema: "linkseal.campaign/1",
      group,
      kind: "enrol",
      link: "primary",
      state: "held",
      since: "1970-01-01T00:00:00Z",
      because: "what was so before",
      reason: { code: "recorded", text: "what was so before" },
      by: "test",
      heldFrom: "proving",
      links: [
        { name: "primary", outcome: null },
        { name: "secondary", outcome: null },
      ],
      goal: "forward",
      urgency: "planned",
      steps: [
        {
          ...{ at: "1970-01-01T00:00:00Z", link: "primary", state: "queued" },
          ...{ because: "asked for", reason: { code: "begin.asked" } },
        },
      ],
      ...{ until: null, ahead: [], restMs: null },
    });
  });
});
