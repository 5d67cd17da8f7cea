// `doctor --bundle`: gathers what may be shown outside of the site, and writes it to a new file.

import { readFile, writeFile } from "node:fs/promises";
import { release } from "node:os";
import { LinksealError } from "#hal/error.ts";
import type { WallTime } from "#hal/world.ts";
import { errnoOf } from "../host/folder.ts";
import { hostFacts } from "../host/host-facts.ts";
import type { Finding } from "../model/finding.ts";
import { isoTime } from "../model/iso-time.ts";
import { type BundleParts, bundleText } from "../operate/doctor/bundle.ts";
import type { CampaignShape } from "../rotation/campaign-shape.ts";
import type { Status } from "../runtime/health/status.ts";
import type { Intent } from "../store/intent/intent.ts";
import { usage } from "./failure.ts";
import { eventsAfter } from "./progress.ts";
import type { Session } from "./session.ts";

/**
 * Writes the bundle to `file`, or to a name with the date; an existing file is never overwritten.
 * @throws LinksealError with `usage` if the file exists or cannot be written
 */
export async function writeBundle(
  session: Session,
  findings: readonly Finding[],
  file: string | undefined,
): Promise<{ readonly file: string; readonly bytes: number }> {
  const at = isoTime(Date.now() as WallTime);
  const agent = await agentPart(session);
  const system = {
    kernel: release(),
    architecture: process.arch,
    distribution: await distribution(),
    node: process.versions.node,
  };
  const text = bundleText({ at, system, findings, agent, host: await hostFacts() });
  const path = file ?? `linkseal-bundle-${at.replaceAll(":", "").slice(0, 15)}.json`;
  await writeFile(path, text, { flag: "wx", mode: 0o600 }).catch((error: unknown) => {
    throw usage(`${path} cannot be written (${errnoOf(error)})`, "linkseal doctor --bundle FILE");
  });
  return { file: path, bytes: Buffer.byteLength(text) };
}

async function distribution(): Promise<string> {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  const value = (key: string): string =>
    new RegExp(`^${key}="?([^"\n]*)"?$`, "m").exec(text)?.[1] ?? "";
  return `${value("ID")} ${value("VERSION_ID")}`.trim();
}

// A bundle is often made because the agent is down, so that must not fail.
async function agentPart(session: Session): Promise<BundleParts["agent"]> {
  try {
    const status = await session.view<Status>("/v1/status");
    const { campaigns } = await session.view<{ readonly campaigns: readonly CampaignShape[] }>(
      "/v1/rotation",
    );
    const { state: journal } = await session.view<{ readonly state: string }>("/v1/journal");
    const { events } = await eventsAfter(session, { after: 0 });
    return { status, campaigns, journal, events, desired: await desiredOf(session, status) };
  } catch (error) {
    if (error instanceof LinksealError) return undefined;
    throw error;
  }
}

async function desiredOf(
  session: Session,
  status: Status,
): Promise<NonNullable<BundleParts["agent"]>["desired"]> {
  if (status.site === null) return undefined;
  const { text } = await session.view<Omit<Intent, "desired">>("/v1/config");
  const { parseInForce } = await import("../config/index.ts");
  const parsed = parseInForce(text, "config in force");
  return parsed.kind === "ok" ? parsed.desired : undefined;
}
