// SNMPv3 by our client against the simulated agent: nothing but what its key signed is believed.

import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { SnmpAgents } from "#drivers/transport/snmp.ts";
import { LinksealError } from "#hal/error.ts";
import type { SnmpReply } from "#hal/world.ts";
import {
  agentOf,
  ask,
  descriptions,
  type Forgery,
  forge,
  hasty,
  Interloper,
  material,
  names,
  never,
  octets,
  past53,
  type ReceivedMessage,
  suites,
  targetOf,
  user,
} from "../../kit/snmp-kit.ts";

const decoded = ({ values }: SnmpReply): Record<string, string | bigint> =>
  Object.fromEntries(
    [...values].map(([oid, one]) => [
      oid,
      one.kind === "octets" ? new TextDecoder().decode(one.value) : one.value,
    ]),
  );

async function refusal(asked: Promise<unknown>): Promise<LinksealError> {
  const error: unknown = await asked.then(
    () => new Error("it was answered"),
    (thrown: unknown) => thrown,
  );
  if (error instanceof LinksealError) return error;
  throw error;
}

const true_ = { [`${names}.1`]: "et-0/0/0", [`${names}.2`]: "et-0/0/1" };

const lie = (received: ReceivedMessage, over: Partial<Forgery> = {}): Buffer =>
  forge({
    ...{ id: received.id, engine: received.engine, flags: 0, pdu: "response" },
    ...{ oid: `${names}.1`, value: "a lie", ...over },
  });

const unknownEngine = "1.3.6.1.6.3.15.1.1.4.0";
const otherEngine = Buffer.from("8000000001020304ff", "hex");

describe("an SNMP agent", () => {
  it("an agent reports texts, counters beyond 2^53 and values below 1.0", async () => {
    const agent = await agentOf();
    const reply = await ask(targetOf(agent.port), [names, octets, suites]);
    await agent.close();
    expect(reply.evidence).toBe("authenticated");
    expect(decoded(reply)).toEqual({
      ...true_,
      [`${octets}.1`]: past53,
      [`${octets}.2`]: 0n,
      [`${suites}.1`]: "1.0.8802.1.1.3.1.1.8.1.1.0.128",
    });
  });

  it("an agent is read to the end of a long column", async () => {
    const agent = await agentOf();
    const { values } = await ask(targetOf(agent.port), [descriptions]);
    await agent.close();
    expect(values.size).toBe(70);
  });

  it.each([
    ["sha224", "aes128"],
    ["sha384", "aes128"],
    ["sha512", "aes256b"],
    ["sha256", "aes256r"],
  ] as const)("an agent is read by %s and %s", async (auth, privacy) => {
    const agent = await agentOf({ users: [{ ...user, auth, privacy }] });
    const reply = await ask(targetOf(agent.port, { auth, privacy }));
    await agent.close();
    expect(decoded(reply)).toEqual(true_);
  });

  it("an agent that reports more than is wanted is not read to its end", async () => {
    const agent = await agentOf();
    using agents = new SnmpAgents(material, hasty);
    const asked = agents.ask(
      targetOf(agent.port),
      { roots: [descriptions], leaves: [], valuesMax: 30 },
      never,
    );
    expect((await refusal(asked)).code).toBe("transport.closed");
    await agent.close();
  });

  it("an agent that does not run is unreachable", async () => {
    const agent = await agentOf();
    const { port } = agent;
    await agent.close();
    const error = await refusal(ask(targetOf(port)));
    expect([error.code, error.effect]).toEqual(["transport.unreachable", "none"]);
  });

  it("an agent that never replies blocks no caller; a deadline ends the wait", async () => {
    const agent = await agentOf({ objects: () => undefined });
    const error = await refusal(ask(targetOf(agent.port)));
    expect([error.code, error.effect]).toEqual(["transport.timeout", "none"]);
    using agents = new SnmpAgents(material);
    const reason = new Error("no longer awaited");
    const end = new AbortController();
    const asked = agents.ask(
      targetOf(agent.port),
      { roots: [names], leaves: [], valuesMax: 9 },
      end.signal,
    );
    setImmediate(() => end.abort(reason));
    await expect(asked).rejects.toBe(reason);
    await agent.close();
  });

  it("an agent is read only with a passphrase of eight characters at least", async () => {
    const error = await refusal(ask(targetOf(9, { authPassphrase: "7-chars" })));
    expect(error.code).toBe("transport.authentication");
  });

  it("an agent with another key is not believed, and no key is in the error", async () => {
    const agent = await agentOf({ users: [{ ...user, authPassphrase: "another-passphrase" }] });
    const error = await refusal(ask(targetOf(agent.port)));
    await agent.close();
    expect(error.code).toBe("transport.timeout");
    const shown = inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true });
    expect(shown).not.toContain("planted-canary");
  });
});

describe("a host on the way", () => {
  it("a reply in clear to an authenticated request is dropped", async () => {
    const agent = await agentOf();
    await using between = await Interloper.before(agent.port);
    between.way.question = (received) => (received.security === 3 ? [lie(received)] : "pass");
    const error = await refusal(ask(targetOf(between.port)));
    await agent.close();
    expect(between.received.some(({ security }) => security === 3)).toBe(true);
    expect(error.code).toBe("transport.timeout");
    expect(error.message).toMatch(/2 replies that none of its keys signed were dropped/);
  });

  it.each<[string, Partial<Forgery>]>([
    ["a reply in clear", {}],
    ["a reply with its own code", { flags: 1 }],
    ["a report in clear", { pdu: "report", oid: unknownEngine }],
    ["a report of another engine", { pdu: "report", oid: unknownEngine, engine: otherEngine }],
    ["a report with its own code", { pdu: "report", oid: unknownEngine, flags: 1 }],
    ["a reply of another engine", { flags: 1, engine: otherEngine }],
  ])("%s that is forged changes nothing if it comes first", async (_name, over) => {
    const agent = await agentOf();
    await using between = await Interloper.before(agent.port);
    using agents = new SnmpAgents(material, { attemptMs: 2_000, retries: 0 });
    const to = targetOf(between.port);
    let forged = 0;
    between.way.reply = (message, received) => {
      if (received.security !== 3) return "pass";
      forged += 1;
      return [lie(received, over), message];
    };
    for (let round = 0; round < 2; round += 1) {
      const reply = await agents.ask(to, { roots: [names], leaves: [], valuesMax: 9 }, never);
      expect(decoded(reply)).toEqual(true_);
    }
    await agent.close();
    expect(forged).toBe(2);
    // The name of the engine was asked for once, and stayed.
    expect(between.received.filter(({ security }) => security === 0)).toHaveLength(1);
    const engines = between.received.slice(1).map(({ engine }) => engine.toString("hex"));
    expect(new Set(engines).size).toBe(1);
    expect(engines[0]).not.toBe(otherEngine.toString("hex"));
  });

  it("a forged name of the agent is detected by the silence that follows", async () => {
    const agent = await agentOf();
    await using between = await Interloper.before(agent.port);
    between.way.question = (received) =>
      received.security === 0
        ? [lie(received, { pdu: "report", oid: unknownEngine, engine: otherEngine })]
        : [lie(received, { engine: otherEngine })];
    expect((await refusal(ask(targetOf(between.port)))).code).toBe("transport.timeout");
    // Afterwards the agent is asked anew who it is.
    between.way = {};
    expect(decoded(await ask(targetOf(between.port)))).toEqual(true_);
    await agent.close();
  });

  it("a reply to the request for the engine's name that has a value is dropped", async () => {
    const agent = await agentOf();
    await using between = await Interloper.before(agent.port);
    between.way.question = (received) => [lie(received, { engine: otherEngine })];
    expect((await refusal(ask(targetOf(between.port)))).code).toBe("transport.timeout");
    await agent.close();
  });

  it("a reply from another address is dropped, even with the agent's own content", async () => {
    const agent = await agentOf();
    await using between = await Interloper.before(agent.port);
    between.way.reply = (message, received) => {
      between.answersFromAside = received.security === 3;
      return [message];
    };
    const error = await refusal(ask(targetOf(between.port)));
    await agent.close();
    expect(error.code).toBe("transport.timeout");
    expect(error.message).not.toMatch(/were dropped/);
  });
});
