// SNMPv2c in a process of its own: what it may do, what it is told, and what is taken from it.

import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SnmpAgents } from "#drivers/transport/snmp.ts";
import { readReply } from "#drivers/transport/snmp-legacy.ts";
import { LinksealError } from "#hal/error.ts";
import type { Target } from "#hal/target.ts";
import {
  agentOf,
  descriptions,
  Interloper,
  names,
  never,
  octets,
  past53,
} from "../../kit/snmp-kit.ts";

const community = "planted-canary-community";
const timeouts = { attemptMs: 400, retries: 1 };
const upTime = "1.3.6.1.2.1.1.3.0";

function targetOf(port: number, word = community): Target {
  const snmp = { access: "v2cReadonly", port, community: word } as const;
  return { device: "edge-a", address: "127.0.0.1", snmp };
}

async function ask(to: Target, roots: readonly string[], over: { valuesMax?: number } = {}) {
  using agents = new SnmpAgents({ passphrase: async (word) => Buffer.from(word) }, timeouts);
  return await agents.ask(to, { roots, leaves: [upTime], valuesMax: 200, ...over }, never);
}

const codeOf = (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    () => "answered",
    (error: unknown) => (error instanceof LinksealError ? error.code : error),
  );

describe("an agent of SNMPv2c", () => {
  it("an agent of SNMPv2c is read, and all its values are weak", async () => {
    const agent = await agentOf({ users: [], community });
    const { values, evidence } = await ask(targetOf(agent.port), [names, octets, descriptions]);
    await agent.close();
    expect(evidence).toBe("weak");
    expect(values.size).toBe(75);
    expect(values.get(`${octets}.1`)).toEqual({ kind: "number", value: past53 });
    expect(values.get(upTime)).toEqual({ kind: "number", value: 4_200n });
    expect(values.get(`${names}.1`)).toEqual({
      kind: "octets",
      value: Uint8Array.from(Buffer.from("et-0/0/0")),
    });
  });

  it("an agent of SNMPv2c is silent to another community and to SNMPv3", async () => {
    const agent = await agentOf({ users: [], community });
    expect(await codeOf(ask(targetOf(agent.port, "public-word"), []))).toBe("transport.timeout");
    await agent.close();
  });

  it("an agent that reports more than is wanted is not read to its end", async () => {
    const agent = await agentOf({ users: [], community });
    const asked = ask(targetOf(agent.port), [descriptions], { valuesMax: 30 });
    expect(await codeOf(asked)).toBe("transport.closed");
    await agent.close();
  });

  it("an agent's reply from another address is dropped", async () => {
    const agent = await agentOf({ users: [], community });
    await using between = await Interloper.before(agent.port, "plain");
    between.answersFromAside = true;
    expect(await codeOf(ask(targetOf(between.port), []))).toBe("transport.timeout");
    between.answersFromAside = false;
    expect(await codeOf(ask(targetOf(between.port), []))).toBe("answered");
    await agent.close();
  });

  it("a reply that is not SNMP harms only its reader", async () => {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    const messages = [
      Buffer.from("3082ffff02", "hex"),
      Buffer.alloc(0),
      Buffer.alloc(60_000, 0x30),
    ];
    socket.on("message", (_message, from) => {
      for (const one of messages) socket.send(one, from.port, from.address);
    });
    const code = await codeOf(ask(targetOf(socket.address().port), []));
    socket.close();
    expect(["transport.timeout", "device.unparsed"]).toContain(code);
  });
});

describe("the process that speaks it", () => {
  it.each(["drivers/transport/snmp-legacy-child.ts", "dist/agent/snmp-legacy-child.js"])(
    "%s has no capability, and a community in neither argument nor environment",
    async (path) => {
      const silent = createSocket("udp4");
      await new Promise<void>((resolve) => silent.bind(0, "127.0.0.1", resolve));
      const asked = once(silent, "message");
      const root = join(import.meta.dirname, "../../../..");
      const script = join(root, path);
      const words = ["--no-warnings", "--permission", `--allow-fs-read=${root}/*`, script];
      const child = spawn(process.execPath, words, { stdio: ["pipe", "pipe", "inherit"], env: {} });
      const question = { host: "127.0.0.1", family: "udp4", port: silent.address().port };
      const rest = { community, roots: [], leaves: [upTime], valuesMax: 9, timeouts: [60_000] };
      child.stdin.end(JSON.stringify({ ...question, ...rest }));
      await asked;
      const place = `/proc/${child.pid}`;
      const status = await readFile(`${place}/status`, "utf8");
      const [argv, env] = await Promise.all(
        ["cmdline", "environ"].map((name) =>
          readFile(`${place}/${name}`, "latin1").catch(() => ""),
        ),
      );
      child.kill("SIGKILL");
      silent.close();
      expect(status).toMatch(/^CapEff:\t0+$/m);
      expect(status).toMatch(/^CapPrm:\t0+$/m);
      expect(`${argv}${env}`).not.toContain(community);
    },
  );

  it("the process's output is accepted in only one form", () => {
    const values = [["1.3.6.1.1", "number", "7"]];
    const reported = (reply: unknown): unknown => {
      try {
        return readReply(Buffer.from(JSON.stringify(reply)), 2, "edge-a").size;
      } catch (error) {
        return error instanceof LinksealError ? error.code : error;
      }
    };
    expect(reported({ values })).toBe(1);
    const rows: readonly unknown[] = [
      ["1.3.6.1.1", "number", "7", "more"],
      ["1.3.6.1.1", "number", 7],
      ["1.3.6.1.1", "number", "7e3"],
      ["1.3.6.1.1", "number", "9".repeat(21)],
      ["1.3.6.1.1", "octets", "abc"],
      ["1.3.6.1.1", "octets", "ab".repeat(3_000)],
      ["1.3.6.1.1", "identifier", "1.3"],
      ["1.3.6.-1", "number", "7"],
      ["__proto__", "number", "7"],
      "1.3.6.1.1",
      null,
    ];
    for (const row of rows) expect(reported({ values: [row] })).toBe("device.unparsed");
    expect(reported({ values: [...values, ...values, ...values] })).toBe("device.unparsed");
    expect(reported({ fault: "toString" })).toBe("device.unparsed");
    expect(reported({ fault: 1 })).toBe("device.unparsed");
    fc.assert(
      fc.property(fc.json(), (text) => {
        const shown = reported(JSON.parse(text));
        return typeof shown === "number" || String(shown).match(/^(device|transport)\./) !== null;
      }),
      { seed: 7 },
    );
  });
});
