// Every command that README shows, entered as a reader would, in the order of README.

import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { patienceMs } from "../patience.ts";
import { commandLines } from "../readme-commands.ts";
import { verdictIn } from "./glance.ts";
import { Program, readyMark } from "./program.ts";

const root = join(import.meta.dirname, "../..");
const readme = readFileSync(join(root, "README.md"), "utf8");
const command = join(root, "agent/bin.js");
const place = realpathSync(mkdtempSync(join(tmpdir(), "linkseal-readme-")));
const programs: Program[] = [];

afterAll(async () => {
  for (const program of programs.filter(({ dead }) => !dead)) interrupt(program, "SIGKILL");
  await Promise.all(programs.map(({ ended }) => ended));
  rmSync(place, { recursive: true });
});

/** Commands that another test tries, and its name or the reason. */
const elsewhere: Readonly<Record<string, string>> = {
  "npm ci && npm start": "npm run test:fresh",
  "npm ci && npm test": "npm run test:fresh",
  "alias linkseal='npx --no -- linkseal'": "below, beside what npm would take for itself",
  "export LINKSEAL_HOME=/tmp/linkseal": "the environment of what follows it",
  "npm ci && npm run package": "test/kernel/package",
  "apt install ./linkseal_0.2.0_amd64.deb": "test/kernel/package",
  "npm run test:tools": "it installs packages on this computer",
  "npm run lab": "test/kernel/lab",
  "npm run lab -- rotate": "test/kernel/lab",
  "npm run lab -- pair": "test/kernel/pair",
  "npm run fleet:lab": "test/peers/fleet-lab",
  "npm run -s lab -- --once --json": "test/kernel/lab",
};

/** A reader's folder, in which the commands run, and the home of their processes. */
class Terminal {
  readonly folder: string;
  readonly home: string;
  readonly #changes: readonly (readonly [shown: string, here: string])[];

  /**
   * `changes`: parts of a line that are replaced here: paths outside of this folder, and speeds.
   */
  constructor(name: string, changes: readonly (readonly [shown: string, here: string])[] = []) {
    this.folder = join(place, name);
    this.home = join(this.folder, "home");
    this.#changes = changes;
    mkdirSync(this.home, { recursive: true, mode: 0o700 });
  }

  /** Runs a shell line in which `linkseal` is the command of this clone. */
  type(line: string): Program {
    const here = this.#changes.reduce((text, [shown, own]) => text.replaceAll(shown, own), line);
    const alias = `linkseal() { '${process.execPath}' '${command}' "$@"; }`;
    const prefix = /(^| )(np[mx]|node) /.test(here) ? `cd '${root}'` : alias;
    // It starts as from a terminal: in its own process group, without input.
    const child: ChildProcess = spawn("sh", ["-c", `${prefix}\n${here}`], {
      ...{ cwd: this.folder, detached: true, stdio: ["ignore", "pipe", "pipe"] },
      env: { ...process.env, LINKSEAL_HOME: this.home, TMPDIR: this.home, NO_COLOR: "1" },
    });
    const program = new Program(child);
    programs.push(program);
    return program;
  }

  async run(line: string): Promise<Program> {
    const program = this.type(line);
    await program.ended;
    return program;
  }
}

/** Ctrl-C reaches each process that the line has started. */
function interrupt({ pid }: Program, signal: "SIGINT" | "SIGKILL" = "SIGINT"): void {
  process.kill(-pid, signal);
}

async function begun(program: Program, text: string): Promise<Program> {
  await program.until(text);
  if (!program.output.includes(text))
    throw new Error(`it ended before "${text}": ${program.output}`);
  return program;
}

async function allProtected(terminal: Terminal): Promise<void> {
  for (const begin = performance.now(); performance.now() - begin < patienceMs; await rest(200)) {
    if ((await verdictIn(terminal.home)) !== "protected") continue;
    if ((await terminal.run("linkseal status --check")).child.exitCode === 0) return;
  }
  throw new Error("the links were never all protected");
}

const first = new Terminal("first");
const adopting = new Terminal("adopting");
const apart = new Terminal("apart", [
  ["/tmp/", `${join(place, "apart")}/`],
  ["--speed 20", "--speed 200"],
]);
const alone = new Terminal("alone", [
  ["NAME", "vault-denied"],
  ["/var/lib/linkseal-try", join(place, "try")],
]);

/** Exit statuses of the commands that run beside a running site. */
const beside: readonly (readonly [line: string, status: number])[] = [
  ["linkseal status", 0],
  ["linkseal links", 0],
  ["linkseal keys generate erd-demo", 0],
  ["linkseal rotate erd-demo --dry-run --rehearse", 3],
  ["linkseal rotate erd-demo --wait", 0],
  ["linkseal rotation show", 0],
  ["linkseal drain erd-demo/primary", 0],
  ["linkseal config show > site.yaml", 0],
  ["linkseal plan site.yaml", 0],
  // There is no terminal for the confirmation.
  ["linkseal apply site.yaml", 2],
  ["linkseal config history", 0],
  ["linkseal keys check", 0],
  ["linkseal explain sci-mismatch", 0],
  ["linkseal page code", 0],
  ["linkseal doctor", 0],
  ["linkseal report", 0],
  // A simulated site has no Azure resources that a scorecard could check, so nothing fails.
  ["linkseal scorecard", 0],
  ["linkseal report --html --out report.html", 0],
  ["linkseal sim fault peer-silent", 0],
  // There is no terminal for the questions.
  ["linkseal init", 2],
];

const others = [
  ...["linkseal events -f", "npx --no -- linkseal page code", "npm start -- --start protected"],
  ...["linkseal apply FOLDER/demo.yaml --yes", "linkseal adopt erd-demo"],
  ...["linkseal status --check", "linkseal sim serve --socket /tmp/site.sock --speed 20"],
  ...["linkseal agent --site unix:/tmp/site.sock", "linkseal apply site.yaml --yes --wait"],
  "sed 's#unix:.*#unix:/tmp/site.sock#' demo.yaml > site.yaml",
  ...["npm start -s -- --once --speed max", "npm start -- --fault NAME"],
  "LINKSEAL_HOME=/var/lib/linkseal-try node agent/bin.js agent",
];

it("each command of README is tried here or elsewhere, and no other", () => {
  const tried = [...beside.map(([line]) => line), ...others, ...Object.keys(elsewhere)];
  expect([...new Set(tried)].sort()).toEqual(commandLines(readme).toSorted());
});

describe("beside a site that is protected", () => {
  let site: Program;
  beforeAll(async () => {
    site = await begun(first.type("linkseal sim site --speed 200"), "page at ");
    await allProtected(first);
  });

  it.each(beside)("beside a protected site, %s ends with %i", async (line, status) => {
    const { child, output } = await first.run(line);
    expect([child.exitCode, output]).toEqual([status, expect.anything()]);
  });

  it("linkseal events -f follows until it is interrupted", async () => {
    const program = await begun(first.type("linkseal events -f"), "campaign-done");
    expect(program.dead).toBe(false);
    interrupt(program);
    await program.ended;
  });

  it("npm takes no flag for itself that follows the command's name", async () => {
    const alias = /^alias linkseal='(.*)'$/m.exec(readme)?.[1] ?? "";
    expect((await first.run(`${alias} --help`)).output).toContain("Usage: linkseal [options]");
    expect((await first.run(`${alias} config show --json`)).output).toMatch(
      /^\{"schema":"linkseal/,
    );
    const page = await first.run("npx --no -- linkseal page code");
    expect(page.output).toMatch(/type \w{4}-\w{4}-\w{4};/);
  });

  it("the site ends with 0 when it is interrupted", async () => {
    interrupt(site);
    await site.ended;
    expect(site.output).not.toMatch(/broken|Error/);
  });
});

describe("a site whose links were protected by hand", () => {
  it("a site protected by hand is adopted with the commands of README", async () => {
    const site = await begun(adopting.type("npm start -- --start protected"), "page at ");
    const folder = /^state and log in (.*)$/m.exec(site.output)?.[1] ?? "";
    const applied = await adopting.run(`linkseal apply ${folder}/demo.yaml --yes`);
    expect([applied.child.exitCode, applied.output]).toEqual([
      0,
      expect.stringContaining("next: linkseal adopt erd-demo/primary"),
    ]);
    const adopted = await adopting.run("linkseal adopt erd-demo");
    expect([adopted.child.exitCode, adopted.output]).toEqual([
      0,
      expect.stringContaining("erd-demo/secondary: adopted with "),
    ]);
    await allProtected(adopting);
    copyFileSync(join(folder, "demo.yaml"), join(apart.folder, "demo.yaml"));
    interrupt(site);
    await site.ended;
  });
});

describe("an agent in a process of its own", () => {
  it("an agent in its own process protects the site that runs beside it", async () => {
    const serve = apart.type("linkseal sim serve --socket /tmp/site.sock --speed 20");
    await begun(serve, "serves");
    const agent = await begun(apart.type("linkseal agent --site unix:/tmp/site.sock"), readyMark);
    expect(
      (await apart.run("sed 's#unix:.*#unix:/tmp/site.sock#' demo.yaml > site.yaml")).child
        .exitCode,
    ).toBe(0);
    const applied = await apart.run("linkseal apply site.yaml --yes --wait");
    expect([applied.child.exitCode, applied.output]).toEqual([0, expect.anything()]);
    for (const program of [agent, serve]) {
      interrupt(program);
      await program.ended;
    }
  });
});

describe("commands that run alone", () => {
  it("npm start -s -- --once --speed max ends with 0 once all is protected", async () => {
    const { child, output } = await alone.run("npm start -s -- --once --speed max");
    expect([child.exitCode, output]).toEqual([0, expect.stringMatching(/^demo: protected/m)]);
  });

  it.each([
    ["npm start -- --fault NAME", "page at "],
    ["LINKSEAL_HOME=/var/lib/linkseal-try node agent/bin.js agent", readyMark],
  ])("%s serves until it is interrupted", async (line, ready) => {
    const program = await begun(alone.type(line), ready);
    interrupt(program);
    await program.ended;
    expect(program.dead).toBe(true);
  });
});
