// A rehearsal in a process of the laboratory: this host's agent goes on observing, and its package
// has no simulator.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { decoded, object, oneOf } from "#hal/decoder.ts";
import { LinksealError } from "#hal/error.ts";
import { decodeJson, encodeJson } from "#hal/json.ts";
import { errorFromShape } from "../model/error-shape.ts";
import type { Rehearsal, RehearsalRequest } from "../runtime/campaigns/rehearsal-shape.ts";
import { errnoOf } from "./folder.ts";

/** The command, as seen from the sources and from a bundle. */
const command = join(import.meta.dirname, "..", "..", "agent", "bin.js");

/** The laboratory ends a rehearsal after 20 s; its start takes a while on a busy host. */
const processMsMax = 60_000;
const answerBytesMax = 4_000_000;

/**
 * Runs `linkseal sim rehearse` with this request and returns its result.
 * @throws LinksealError that the laboratory reported, or with `usage` if it is not installed
 */
export async function rehearse(request: RehearsalRequest): Promise<Rehearsal> {
  const child = spawn(process.execPath, [command, "sim", "rehearse", "--json"], {
    stdio: ["pipe", "pipe", "inherit"],
    timeout: processMsMax,
  });
  const parts: Buffer[] = [];
  let octets = 0;
  child.stdout.on("data", (part: Buffer) => {
    octets += part.length;
    if (octets > answerBytesMax) child.kill();
    else parts.push(part);
  });
  // A process that does not read its input may end before it was written.
  child.stdin.on("error", () => undefined).end(encodeJson(request));
  const [status] = (await once(child, "close").catch((error: unknown) => {
    throw failed(`it cannot be run (${errnoOf(error)})`);
  })) as [number | null];
  const answer = answerIn(Buffer.concat(parts));
  if (status === 0 && isRehearsal(answer, request)) return answer;
  throw errorFromShape(answer) ?? failed(`it ended with ${status ?? "a signal"}`);
}

function answerIn(octets: Uint8Array): unknown {
  try {
    return decodeJson(new TextDecoder().decode(octets));
  } catch {
    return undefined;
  }
}

/**
 * The laboratory is of the same version, so its head tells a result from another output: a result
 * without a verdict, or for another target, is none.
 */
function isRehearsal(answer: unknown, { target }: RehearsalRequest): answer is Rehearsal {
  const head = object<Pick<Rehearsal, "schema" | "target" | "verdict">>({
    schema: oneOf(["linkseal.rehearsal/1"]),
    target: oneOf([target]),
    verdict: oneOf(["good", "bad"]),
  });
  return decoded(answer, head) !== undefined;
}

function failed(why: string): LinksealError {
  const text = `the rehearsal has no result, so nothing was begun: ${why}`;
  return new LinksealError("agent.internal", text, {
    effect: "none",
    where: "linkseal sim rehearse",
    next: "linkseal sim site --once, which shows whether the laboratory runs here",
  });
}
