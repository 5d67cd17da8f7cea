// A row of the registry is all that config, `init`, `sim router` and suite know of a platform.

import { describe, expect, it } from "vitest";
import { parseConfig } from "#agent/config/index.ts";
import { answersOf } from "#agent/operate/init/answers.ts";
import { configTextOf } from "#agent/operate/init/config-text.ts";
import { drivers, platformNames, platforms, routerNames, sshPortOf } from "#drivers/index.ts";
import { wholeProgram } from "#sim/lab/main.ts";
import { routerPlatforms } from "#sim/lab/simulate.ts";
import { platformsOf } from "../../../conformance/place.ts";

const hostKey = `SHA256:${"A".repeat(43)}`;
const port =
  "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/r/providers/" +
  "Microsoft.Network/expressRoutePorts/erd-dub";

async function configWith(driver: string): Promise<string> {
  const address = driver === "linux" ? "" : ",192.0.2.1";
  const answers = await answersOf(
    {
      ...{ site: "dublin", cloud: "public", vault: "https://kv-erd-dub.vault.azure.net" },
      ...{ identity: "arc", group: "erd-dub", expressRoutePort: port },
      device: [`edge-a=${driver}${address}`],
      hostKey: [`edge-a=${hostKey}`],
      link: ["primary=edge-a,et-0/0/0,100G", "secondary=edge-a,et-0/0/1,100G"],
    },
    {
      ...{ terminal: undefined, kept: new Map(), keep: async () => undefined },
      ...{ ports: [], hostKey: async () => hostKey },
    },
  );
  return configTextOf(answers);
}

describe("a platform of the registry", () => {
  it.each(platformNames)("%s has a driver of its name", (name) => {
    expect(drivers[name]?.name).toBe(name);
    expect(platforms[name].driver.name).toBe(name);
  });

  it.each(routerNames)("%s is logged in to at its own port after `init`", async (name) => {
    const parsed = parseConfig(await configWith(name), "site.yaml");
    if (parsed.kind !== "ok") throw new Error(JSON.stringify(parsed.complaints));
    const [device] = parsed.desired.devices;
    expect(device?.ssh).toMatchObject({ user: "linkseal", port: sshPortOf(name), hostKey });
  });

  it.each(routerNames)("%s is served by `sim router`, and passes the suite", (name) => {
    expect(Object.values(routerPlatforms).map(({ driver }) => driver)).toContain(name);
    expect(platformsOf(name).length).toBeGreaterThan(0);
  });

  it("a platform without a login has no SSH port", () => {
    expect(() => sshPortOf("sim")).toThrow("sim is not reached over SSH");
    // Another host with `linkseal peer`.
    expect(sshPortOf("linux")).toBe(22);
    expect(sshPortOf("junos")).toBe(830);
    expect(sshPortOf("eos")).toBe(22);
  });
});

describe("`sim router --platform`", () => {
  it("`sim router --platform` offers exactly the platforms that the simulator emulates", () => {
    const sim = wholeProgram().commands.find((one) => one.name() === "sim");
    const router = sim?.commands.find((one) => one.name() === "router");
    const platform = router?.options.find(({ long }) => long === "--platform");
    expect(platform?.argChoices?.toSorted()).toEqual(Object.keys(routerPlatforms).toSorted());
  });
});
