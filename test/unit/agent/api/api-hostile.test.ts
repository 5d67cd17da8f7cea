// Whatever a client of the two sockets sends: an answer, and an agent that lives.

import { beforeAll, describe, expect, it } from "vitest";
import type { SocketRole } from "#agent/api/route.ts";
import { routes } from "#agent/api/routes.ts";
import { errorFromShape } from "#agent/model/error-shape.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../effort.ts";
import { AgentBench, group } from "../../kit/agent-bench.ts";
import { hostileText, hostileValues } from "../hostile-json.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "sockets";
const roles: readonly SocketRole[] = ["view", "admin"];
const names = Object.keys(routes);
const changing = names.filter((name) => routes[name]?.kind === "changes");

let bench: AgentBench;
beforeAll(async () => {
  bench = new AgentBench("clear", "hostile");
  await bench.live();
  await bench.apply(bench.config((text) => text.replace("farEnd: agent", "farEnd: manual")));
  await bench.run(60_000);
});

/** What each member may well be. */
const sound: Readonly<Record<string, unknown>> = {
  ...{ group, target: group, link: `${group}/primary`, name: `${group}/gone`, tunnel: "hub-1" },
  ...{ text: "version: 1", file: "x", queue: false, done: false, risks: [], urgency: "planned" },
  ...{ code: "mtu", about: `${group}/primary` },
  ...{ number: 1, after: 0, waitMs: 1, from: "2026-11-01", to: "2026-12-01" },
};

const membersOf = (name: string): readonly string[] => routes[name]?.members ?? [];

function soundly(name: string): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    membersOf(name)
      .filter((member) => member in sound)
      .map((member) => [member, sound[member]]),
  );
}

/** A GET has its members in the query. */
async function ask(name: string, members: unknown, role: SocketRole): Promise<string> {
  if (!name.startsWith("GET ")) return await answered(name, JSON.stringify(members), role);
  const terms = Object.entries(Object(members)).map(
    ([key, value]) => `${encodeURIComponent(key)}=${textOf(value)}`,
  );
  return await answered(`${name}?${terms.join("&")}`, "", role);
}

const textOf = (value: unknown): string =>
  encodeURIComponent((JSON.stringify(value) ?? "").replace(/^"|"$/g, "").toWellFormed());

/** The code of its error; "" = it was answered. Throws for any other reply. */
async function answered(path: string, body: string, role: SocketRole): Promise<string> {
  const { status, body: replyBody } = await bench.reply(path, body, role);
  const value: unknown = JSON.parse(replyBody);
  expect(bench.broken).toEqual([]);
  if (status === 200) return "";
  expect([400, 403, 409]).toContain(status);
  const error = errorFromShape(value);
  expect(error).toBeDefined();
  expect(error?.code).not.toBe("agent.internal");
  // A refusal echoes nothing without end.
  expect(replyBody.length).toBeLessThan(20_000);
  return error?.code ?? "";
}

describe("a request of the admin socket", () => {
  it.each(changing)("%s with an object in the place of a name is a usage error", async (name) => {
    for (const member of membersOf(name).filter((each) => each !== "shown")) {
      for (const value of [{ toString: 1 }, { toString: null, valueOf: 1 }]) {
        expect(await ask(name, { ...soundly(name), [member]: value }, "admin")).toBe("usage");
      }
    }
    expect(bench.agent.status().schema).toBe("linkseal.status/1");
  });

  it.each(names)("%s with a member that it does not have is refused, and named", async (name) => {
    const method = name.startsWith("GET ") ? "?drian=1&__proto__=2" : "";
    const body = method === "" ? { ...soundly(name), drian: 1, target2: 2 } : "";
    const { status, body: replyBody } = await bench.reply(`${name}${method}`, body);
    expect(status).toBe(400);
    const { code, text } = JSON.parse(replyBody) as { code: string; text: string };
    expect(code).toBe("usage");
    expect(text).toContain('unknown member "drian"');
  });

  it("a request has its members in the query or in the body, never in both", async () => {
    const link = `${group}/primary`;
    const drain = await bench.reply(`POST /v1/drain?link=${link}`, { link });
    const events = await bench.reply("GET /v1/events?after=0", { after: 7 });
    for (const { status, body } of [drain, events]) {
      expect([status, body]).toEqual([400, expect.stringContaining("alone")]);
    }
  });
});

describe(`any request (LINKSEAL_SEED=${seed})`, () => {
  it("any request with any value in any place is answered, and the agent lives", async () => {
    let asked = 0;
    for (const name of names) {
      for (const member of [...membersOf(name), "odd"]) {
        for (const value of hostileValues) {
          const members = { ...soundly(name), [member]: value };
          for (const role of roles) {
            await ask(name, members, role);
            asked += 1;
          }
        }
      }
    }
    console.log(`hostile members: ${asked} requests`);
    expect(bench.violations()).toEqual([]);
  });

  it("any request of any text is answered, and the agent lives", async () => {
    const runs = effort(3_000, 200_000);
    console.log(`hostile requests: LINKSEAL_SEED=${seed}, ${runs} of them`);
    const prng = new Prng(seed);
    const codes = new Set<string>();
    for (let run = 0; run < runs; run += 1) {
      const name = prng.chance(0.95) ? prng.pick(names) : "POST /v1/%00?a=%E0%A4%A";
      const text = hostileText(soundly(name), prng);
      const isGet = name.startsWith("GET ");
      const path = isGet ? `${name}?${encodeURI(text.slice(0, 2_000).toWellFormed())}` : name;
      codes.add(await answered(path, isGet && prng.chance(0.7) ? "" : text, prng.pick(roles)));
    }
    await bench.run(60_000);
    expect(bench.broken).toEqual([]);
    expect(bench.violations()).toEqual([]);
    // Else all of it ended early, and nothing was tried.
    expect([...codes]).toEqual(expect.arrayContaining(["", "usage", "agent.forbidden"]));
  });
});
