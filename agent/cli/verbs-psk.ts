// The verb psk: which version of its pre-shared key each tunnel uses, and the step to the next one.

import type { Command } from "commander";
import type { PskReport } from "../runtime/tunnels/psk-report.ts";
import { usage } from "./failure.ts";
import { type Common, Session } from "./session.ts";
import { verb } from "./shape.ts";

interface Psks {
  readonly schema: string;
  readonly psks: readonly PskReport[];
}

export function registerPsk(program: Command): void {
  const psk = program.command("psk").description("keys that both ends of a tunnel share; no value");
  verb(
    psk.command("show [tunnel]").description("the version in use, and the newer one that waits"),
    "linkseal psk show hub-1",
  ).action(showPsks);
  verb(
    psk
      .command("proceed <tunnel>")
      .description(
        "the far end has the newest version now, or gets it from the agent (farEnd: agent), in " +
          "a window or not: ours follows, proven by a fresh authentication, " +
          "by packets; where it is not proven the old key and its SAs stay",
      ),
    "linkseal psk proceed hub-1",
  ).action(proceed);
}

async function showPsks(tunnel: string | undefined, options: Common): Promise<void> {
  const session = new Session(options);
  const answer = await session.view<Psks>("/v1/psk");
  const psks = answer.psks.filter((each) => tunnel === undefined || each.tunnel === tunnel);
  if (tunnel !== undefined && psks.length === 0) {
    throw usage(`no tunnel ${tunnel} shares a key with its gateway`, "linkseal psk show");
  }
  await session.show({ ...answer, psks }, (shown) =>
    shown.psks.length === 0
      ? "No tunnel shares a key with its far end."
      : shown.psks.flatMap(linesOf).join("\n"),
  );
}

async function proceed(tunnel: string, options: Common): Promise<void> {
  const session = new Session(options);
  const psk = await session.admin<PskReport>("/v1/psk/proceed", { tunnel });
  await session.show({ schema: "linkseal.psk/1", ...psk }, (shown) => linesOf(shown).join("\n"));
}

function linesOf({ tunnel, farEnd, pair, secretId, next }: PskReport): readonly string[] {
  const inUse =
    secretId === null ? "not set up by linkseal, version not known" : versionOf(secretId);
  const together = pair === null ? "" : `, together with ${pair}`;
  const whose = farEnd === "agent" ? `, the gateway's is written by the agent${together}` : "";
  if (next === null) return [`${tunnel}: ${inUse}${whose}`];
  const todo = todoOf(tunnel, farEnd, next.state);
  return [
    `${tunnel}: ${inUse}${whose}`,
    `     ${next.state}: ${versionOf(next.secretId)}: ${next.because}`,
    `     ${next.dark}`,
    ...(next.command === null
      ? []
      : ["     this gives it to the gateway and shows it nowhere:", `     ${next.command}`]),
    ...(todo === undefined ? [] : [`     next: ${todo}`]),
  ];
}

type State = NonNullable<PskReport["next"]>["state"];

/** Returns the command to give next; undefined = it goes on by itself. */
function todoOf(tunnel: string, farEnd: PskReport["farEnd"], state: State): string | undefined {
  const proceed = `linkseal psk proceed ${tunnel}`;
  switch (state) {
    case "waiting":
      return farEnd === "manual"
        ? `give it to the far end, then ${proceed}`
        : `${proceed}, to begin now`;
    case "giving":
    case "switching":
      return undefined;
    case "returning":
      return `let the vault and both ends take the version in use again, or ${proceed} to go on`;
    case "held":
      return `put another version into the vault, or ${proceed} to try this one again`;
  }
}

/** Returns name and version; all secrets are in the site's vault. */
function versionOf(secretId: string): string {
  return secretId.split("/").slice(-2).join(" version ");
}
