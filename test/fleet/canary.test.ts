// P5 over a whole enrolment: no output and no stored file contains a key, and a log that prints one
// is caught.

import { describe, expect, it } from "vitest";
import type { World } from "#hal/world.ts";
import { StormRun } from "../storm/storm-run.ts";

const forms = {
  raw: (key: Uint8Array) => Buffer.from(key),
  hex: (key: Uint8Array) => Buffer.from(Buffer.from(key).toString("hex")),
  HEX: (key: Uint8Array) => Buffer.from(Buffer.from(key).toString("hex").toUpperCase()),
  base64: (key: Uint8Array) => Buffer.from(Buffer.from(key).toString("base64").replace(/=+$/, "")),
} as const;
type Form = keyof typeof forms;

interface Enrolment {
  readonly run: StormRun;
  readonly output: Buffer;
  /** Places where a key was found, by a search that shares no code with the oracle's. */
  readonly found: readonly string[];
}

async function enrolment(surround?: (world: World) => World): Promise<Enrolment> {
  const lines: string[] = [];
  const writeLine = (line: string): void => {
    lines.push(line);
  };
  const run = new StormRun({
    seed: "canary",
    routers: 2,
    tunnels: 2,
    start: "clear",
    models: "best",
    writeLine,
  });
  const capture: World["log"] = {
    write: (level, code, text, fields) => {
      lines.push(JSON.stringify({ level, code, text, ...fields }));
    },
  };
  const { clock, vault } = run.stormSite.site;
  const live = async (): Promise<void> => {
    await run.begin(run.config(), (world) => {
      const log: World["log"] = {
        write: (...line) => {
          capture.write(...line);
          world.log.write(...line);
        },
      };
      return surround?.({ ...world, log }) ?? { ...world, log };
    });
  };
  void live();
  await clock.runFor(200_000);
  // Errors are logged too.
  vault.setFault("denied", true);
  await clock.runFor(60_000);
  vault.setFault("denied", false);
  run.end();
  void live();
  await clock.runFor(1_800_000);
  lines.push(
    JSON.stringify([run.agent?.status(), run.agent?.memory, run.agent?.events.after(0).events]),
  );
  run.end();
  const output = Buffer.from(lines.join("\n"), "latin1");
  const places = [{ name: "what was said", bytes: output }, ...run.disk.contents()];
  const found = vault
    .secretsForOracle()
    .flatMap(({ id, bytes }) =>
      Object.entries(forms).flatMap(([form, write]) =>
        places
          .filter((place) => Buffer.from(place.bytes).includes(write(bytes)))
          .map((place) => `${id} as ${form} in ${place.name}`),
      ),
    );
  return { run, output, found };
}

/** Makes a World that prints the octets of each secret that is sent to a device. */
function printing(form: Form): (world: World) => World {
  return (world) => ({
    ...world,
    dial: {
      ...world.dial,
      http: (request, signal) => {
        for (const part of request.body ?? []) {
          if (typeof part === "string") continue;
          const text = part.secret.use((bytes) => forms[form](Uint8Array.from(bytes)));
          world.log.write("debug", "sent", text.toString("latin1"));
        }
        return world.dial.http(request, signal);
      },
    },
  });
}

describe("an enrolment and a restart", () => {
  it("an enrolment and a restart let no key out", async () => {
    const { run, output, found } = await enrolment();
    const names = run.disk.contents().map(({ name }) => name);
    expect(run.stormSite.site.truth().groups[0]?.links.map(({ secured }) => secured)).toEqual([
      true,
      true,
    ]);
    expect(run.stormSite.site.vault.secretsForOracle().length).toBeGreaterThanOrEqual(2);
    expect([output.length > 10_000, names.length > 1]).toEqual([true, true]);
    expect(found).toEqual([]);
    expect(run.stormSite.oracle.violations).toEqual([]);
  });

  it.each(["hex", "HEX", "base64"] as const)(
    "a log that prints the secret as %s is caught",
    async (form) => {
      const { run, found } = await enrolment(printing(form));
      expect(found.join()).toContain(`as ${form} in what was said`);
      expect(run.stormSite.oracle.violations[0]).toMatchObject({ promise: "P5" });
    },
  );
});
