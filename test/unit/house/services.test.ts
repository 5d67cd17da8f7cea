// What a service loads stays in its memory for all of its life.

import { execFileSync } from "node:child_process";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { serviceProgram } from "#agent/bin/services.ts";
import { services } from "#agent/cli/launch.ts";

const root = join(import.meta.dirname, "../../..");

/**
 * Imports a module in a Node of its own, and runs `then` on it as `loaded`. Returns the paths of
 * all modules that this loads.
 */
function loadedBy(path: string, then = ""): readonly string[] {
  const program = `
    import { registerHooks } from "node:module";
    const urls = [];
    registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) });
    const loaded = await import(${JSON.stringify(join(root, path))});
    ${then}
    console.log(JSON.stringify(urls));
  `;
  const argv = ["--no-warnings", "--input-type=module", "-e", program];
  const stdio = ["ignore", "pipe", "ignore"] as const;
  const text = execFileSync(process.execPath, argv, { encoding: "utf8", stdio: [...stdio] });
  const urls = JSON.parse(text) as string[];
  const files = urls.filter((url) => url.startsWith("file:"));
  return files.map((url) => relative(root, fileURLToPath(url)));
}

const packageOf = (path: string): string | undefined => /node_modules\/([^/]+)/.exec(path)?.[1];

describe("the services", () => {
  it("each verb that starts a service has the short way, and no other verb", () => {
    expect(serviceProgram().commands.map((command) => command.name())).toEqual(services);
  });

  it("a verb of a service is parsed without another verb's code", () => {
    const loaded = loadedBy("agent/bin/services.ts");
    expect(loaded).toContain("agent/cli/verbs-services.ts");
    expect(new Set(loaded.map(packageOf))).toEqual(new Set([undefined, "commander"]));
    expect(loaded.filter((path) => /^(drivers|sim)\//.test(path))).toEqual([]);
  });

  it("the MKA process has no driver of a router and no package but the log's in memory", () => {
    const loaded = loadedBy("agent/bin/mka.ts");
    expect(loaded).toContain("drivers/linux/mka/kay.ts");
    const drivers = loaded.filter((path) => /^drivers\/(?!linux\/|local\/|transport\/)/.test(path));
    // An error of a credential names the forms that Azure accepts.
    expect(drivers.filter((path) => !path.startsWith("drivers/azure/"))).toEqual([]);
    const others = /^(sim|agent\/(cli|config|simulation))\//;
    expect(loaded.filter((path) => others.test(path))).toEqual([]);
    const packages = new Set(loaded.map(packageOf));
    for (const heavy of ["zod", "yaml", "ssh2", "commander"]) expect(packages).not.toContain(heavy);
  });

  // The port's name is refused, so that nothing is served.
  it.each([
    { argv: ["mka", "a/b", "--client", "linkseal"], loads: false },
    { argv: ["mka", "a/b", "--client=linkseal"], loads: true },
  ])("$argv loads commander: $loads", ({ argv, loads }) => {
    const loaded = loadedBy("agent/bin/cli.ts", `await loaded.main(${JSON.stringify(argv)});`);
    expect(loaded).toContain("drivers/linux/mka/kay.ts");
    expect(loaded.map(packageOf).includes("commander")).toBe(loads);
  });
});
