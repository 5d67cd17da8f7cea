// Whatever arrives at an SNMP session: the library sees what our key signed, or nothing.

import type { RemoteInfo, Socket } from "node:dgram";
import { EventEmitter } from "node:events";
import snmp from "net-snmp";
import { describe, expect, it } from "vitest";
import { GuardedSocket } from "#drivers/transport/snmp-guard.ts";
import { Prng } from "#sim/base/prng.ts";
import { effort } from "../../../effort.ts";
import { agentOf, ask, Interloper, names, targetOf, user } from "../../kit/snmp-kit.ts";

const seed = process.env["LINKSEAL_SEED"] ?? "snmp";
const runs = effort(5_000, 1_000_000);
const from: RemoteInfo = { address: "127.0.0.1", family: "IPv4", port: 161, size: 0 };

/** One exchange as it went over the wire. */
async function recorded(): Promise<{ readonly question: Buffer; readonly reply: Buffer }> {
  const agent = await agentOf();
  await using between = await Interloper.before(agent.port);
  let reply: Buffer | undefined;
  between.way.reply = (message, received) => {
    if (received.security === 3) reply = message;
    return "pass";
  };
  const patient = { attemptMs: 60_000, retries: 1 };
  await ask(targetOf(between.port), [names], patient);
  await agent.close();
  const question = between.received.at(-1)?.message;
  if (question === undefined || reply === undefined) throw new Error("nothing was recorded");
  return { question, reply };
}

const below = (prng: Prng, limit: number): number => prng.between(0, limit - 1);

function mutated(reply: Buffer, prng: Prng): Buffer {
  const message = Buffer.from(reply);
  for (let changes = 1 + below(prng, 4); changes > 0; changes -= 1) {
    const at = below(prng, message.length);
    message[at] = prng.chance(0.5) ? below(prng, 256) : (message[at] ?? 0) ^ (1 << below(prng, 8));
  }
  const end = prng.chance(0.2) ? below(prng, message.length) : message.length;
  return prng.chance(0.1)
    ? Buffer.concat([message, Buffer.from(prng.bytes(below(prng, 40)))])
    : message.subarray(0, end);
}

describe("a damaged reply", () => {
  it(`a damaged reply never reaches the library, ${runs} times`, async () => {
    console.log(`seed ${seed}`);
    const prng = new Prng(seed);
    const { question, reply } = await recorded();
    const wire = Object.assign(new EventEmitter(), { send: () => undefined });
    const guard = new GuardedSocket(wire as unknown as Socket, (message, engine, mac) =>
      snmp.Authentication.isAuthentic(
        message,
        snmp.AuthProtocols.sha256,
        user.authPassphrase,
        engine,
        mac,
      ),
    );
    const passed: Buffer[] = [];
    guard.on("message", (message: Buffer) => passed.push(Buffer.from(message)));
    guard.send(question, 0, question.length, 161, "127.0.0.1", () => undefined);
    for (let run = 0; run < runs; run += 1) {
      const message = mutated(reply, prng);
      if (!message.equals(reply)) wire.emit("message", message, from);
    }
    expect(passed).toEqual([]);
    wire.emit("message", reply, from);
    expect(passed).toEqual([reply]);
    // The same once more answers nothing any more.
    wire.emit("message", reply, from);
    expect(passed).toHaveLength(1);
  });
});
