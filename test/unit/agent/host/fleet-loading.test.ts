// A config without `fleet` loads no module of it and opens no connection.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../../../..");

/** Runs what follows the accepted config in a process of its own; returns what it loaded. */
function loadedWith(fleet: string): readonly string[] {
  const script = `
    import { registerHooks } from "node:module";
    const loaded = [];
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
    const { followFleet } = await import("${root}/agent/host/fleet.ts");
    const { hostClock } = await import("${root}/agent/host/clock.ts");
    const { hostEntropy } = await import("${root}/agent/host/entropy.ts");
    const logged = Promise.withResolvers();
    const world = { clock: hostClock, entropy: hostEntropy, log: { write: logged.resolve } };
    const agent = {
      events: { listen: () => () => undefined },
      intent: { desired: { site: "demo", fleet: ${fleet} } },
      evidence: { host: "h", audit: { newestSeq: 0 } },
    };
    const end = new AbortController();
    const run = followFleet({ agent, world }, end.signal);
    if (agent.intent.desired.fleet !== undefined) await logged.promise;
    end.abort();
    await run;
    console.log(JSON.stringify(loaded));
  `;
  const argv = ["--input-type=module", "--no-warnings", "-e", script];
  const out = execFileSync(process.execPath, argv, { cwd: root, encoding: "utf8" });
  return (JSON.parse(out) as readonly string[]).filter((url) =>
    /agent\/(fleet|telemetry\/fleet|host\/(fleet-run|engine-stream))|node:tls/.test(url),
  );
}

describe("what a config without an engine costs", () => {
  it("nothing of the engine is loaded", () => {
    expect(loadedWith("undefined")).toEqual([]);
  });

  it("a config with an engine loads it, and goes on where no server answers", () => {
    const settings = '{ servers: ["nats://127.0.0.1:1"], key: "file:/nothing", headsMs: 1000 }';
    const loaded = loadedWith(settings);
    expect(loaded.some((url) => url.endsWith("agent/fleet/nats-engine.ts"))).toBe(true);
    expect(loaded).toContain("node:tls");
  });
});
