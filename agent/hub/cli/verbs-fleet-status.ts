// The verb fleet status: all sites of an engine at one moment.

import type { Command } from "commander";
import { usage } from "../../cli/failure.ts";
import { fitted, terminalColumns } from "../../cli/fit.ts";
import { Session } from "../../cli/session.ts";
import { exit } from "../../cli/shape.ts";
import { verdictExit } from "../../cli/status.ts";
import type { FleetView, SiteRow } from "../fleet-shape.ts";
import { type EngineOptions, loginOf, withEngineOptions } from "./engine-option.ts";

interface StatusOptions extends EngineOptions {
  readonly check?: true;
}

/** Adds the verb to the group `fleet`. */
export function registerFleetStatus(fleet: Command): void {
  withEngineOptions(
    fleet
      .command("status [site]")
      .description("the health of all sites, what is wrong first; or all that one site has told")
      .option("--check", "one line, for monitoring"),
    "linkseal fleet status --server tls://hub-1.example.net:4222 --key hub.seed",
  ).action(showStatus);
}

async function showStatus(site: string | undefined, options: StatusOptions): Promise<void> {
  const session = new Session(options);
  const found = await readFleet(site, options);
  const { fleetLine, fleetText, siteText } = await import("./fleet-text.ts");
  const words = (text: string): string => fitted(text, terminalColumns());
  if ("site" in found) {
    await session.show(found, (row) => words(siteText(row, session.paint)));
  } else {
    const text = options.check === true ? fleetLine : fleetText;
    await session.show(found, (view) => words(text(view, session.paint)));
  }
  exit(verdictExit(found.verdict));
}

/** Reads all sites; resolves to one of them if it is named. */
async function readFleet(
  site: string | undefined,
  options: EngineOptions,
): Promise<FleetView | (SiteRow & { readonly schema: string })> {
  const { withEngine } = await import("../host/hub-session.ts");
  const { hostClock } = await import("../../host/clock.ts");
  const { FleetWatch } = await import("../fleet-watch.ts");
  const watch = new FleetWatch(hostClock);
  await withEngine(await loginOf(options), (hub) => watch.read(hub));
  if (site === undefined) return watch.view();
  const row = watch.site(site);
  if (row !== undefined) return { schema: "linkseal.fleetSite/1", ...row };
  throw usage(`no site ${site} has published a status`, "linkseal fleet status");
}
