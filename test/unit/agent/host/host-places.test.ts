// Where things live and where a client looks: the table of names and places.

import { chmod, lchown, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  agentPlaces,
  findSocket,
  netPlaces,
  type PlaceSource,
  peerNet,
  peerSocket,
  placeSource,
} from "#agent/host/places.ts";

const uid = placeSource().uid;
const source = (environment: PlaceSource["environment"] = {}, temporary = "/tmp"): PlaceSource => ({
  environment,
  uid,
  home: "/op",
  temporary,
  working: "/w",
});

const XDG_RUNTIME_DIR = "/run/user/7";

describe("an agent's places", () => {
  it.each([
    ["LINKSEAL_HOME first", { LINKSEAL_HOME: "/h", XDG_RUNTIME_DIR }, "home /h/state /h/run"],
    [
      "LINKSEAL_HOME over systemd",
      { LINKSEAL_HOME: "/h", STATE_DIRECTORY: "/var/lib/linkseal" },
      "home /h/state /h/run",
    ],
    [
      "LINKSEAL_HOME from the working folder",
      { LINKSEAL_HOME: "./h", XDG_RUNTIME_DIR },
      "home /w/h/state /w/h/run",
    ],
    [
      "our own unit",
      { STATE_DIRECTORY: "/var/lib/linkseal", XDG_RUNTIME_DIR },
      "system /var/lib/linkseal /run/linkseal",
    ],
    [
      "our own unit with another folder",
      { STATE_DIRECTORY: "/var/lib/x:/var/lib/linkseal" },
      "system /var/lib/linkseal /run/linkseal",
    ],
    [
      "the shell of another service",
      { STATE_DIRECTORY: "/var/lib/runner" },
      `temporary /tmp/linkseal-${uid}/state /tmp/linkseal-${uid}/run`,
    ],
    ["XDG", { XDG_RUNTIME_DIR, XDG_STATE_HOME: "/s" }, "xdg /s/linkseal /run/user/7/linkseal"],
    [
      "XDG with the default for state",
      { XDG_RUNTIME_DIR },
      "xdg /op/.local/state/linkseal /run/user/7/linkseal",
    ],
    [
      "paths that are not absolute",
      { LINKSEAL_HOME: "", XDG_RUNTIME_DIR: "run", XDG_STATE_HOME: "s" },
      `temporary /tmp/linkseal-${uid}/state /tmp/linkseal-${uid}/run`,
    ],
    ["nothing", {}, `temporary /tmp/linkseal-${uid}/state /tmp/linkseal-${uid}/run`],
  ])("an agent's places with %s are as documented", (_name, environment, expected) => {
    const { kind, state, runtime } = agentPlaces(source(environment));
    expect([kind, state, runtime].join(" ")).toBe(expected);
  });
});

describe("the places of linkseal-net", () => {
  const net = "/var/lib/linkseal-net";
  it.each([
    [
      "its own unit",
      { STATE_DIRECTORY: net, XDG_RUNTIME_DIR },
      `/run/linkseal-net/net.sock ${net}`,
    ],
    [
      "its own unit with another folder",
      { STATE_DIRECTORY: `/var/lib/x:${net}` },
      `/run/linkseal-net/net.sock ${net}`,
    ],
    [
      "the shell of another service",
      { STATE_DIRECTORY: "/var/lib/linkseal-network" },
      `/tmp/linkseal-${uid}/run/net.sock /tmp/linkseal-${uid}/state-net`,
    ],
    ["LINKSEAL_HOME", { LINKSEAL_HOME: "/h", XDG_RUNTIME_DIR }, "/h/run/net.sock /h/state-net"],
    [
      "XDG",
      { XDG_RUNTIME_DIR, XDG_STATE_HOME: "/s" },
      "/run/user/7/linkseal/net.sock /s/linkseal-net",
    ],
    ["nothing", {}, `/tmp/linkseal-${uid}/run/net.sock /tmp/linkseal-${uid}/state-net`],
  ])("the places of linkseal-net with %s are as documented", (_name, environment, expected) => {
    const { socket, state } = netPlaces(undefined, source(environment));
    expect(`${socket} ${state}`).toBe(expected);
    // An operator who names a socket moves only that socket.
    expect(netPlaces("/x/n.sock", source(environment))).toEqual({ socket: "/x/n.sock", state });
  });

  it.each([
    ["its unit", { RUNTIME_DIRECTORY: "/run/linkseal-peer" }, "/run/linkseal-net/net.sock"],
    ["LINKSEAL_HOME", { LINKSEAL_HOME: "/h", XDG_RUNTIME_DIR }, "/h/run/net.sock"],
    ["a login of root", { XDG_RUNTIME_DIR }, "/run/linkseal-net/net.sock"],
  ])("linkseal-peer with %s asks linkseal-net beside it", (_name, environment, expected) => {
    expect(peerNet(undefined, source(environment))).toBe(expected);
    expect(peerNet("/x/n.sock", source(environment))).toBe("/x/n.sock");
    // Where it asks and where it answers follow the same variable.
    const isHome = peerSocket(undefined, source(environment)).startsWith("/h/");
    expect(isHome).toBe(expected.startsWith("/h/"));
  });

  it("the places of linkseal-net differ from the agent's by their names alone", () => {
    const { state, runtime } = agentPlaces(source({ LINKSEAL_HOME: "/h" }));
    const beside = netPlaces(undefined, source({ LINKSEAL_HOME: "/h" }));
    expect(dirname(beside.socket)).toBe(runtime);
    expect(beside.state).not.toBe(state);
  });
});

describe("a client's search", () => {
  let base = "";
  const servers: Server[] = [];
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), "ls-"));
  });
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => new Promise((done) => server.close(done))));
    await rm(base, { recursive: true, force: true });
  });

  async function listen(path: string): Promise<string> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const server = createServer();
    servers.push(server);
    await new Promise<void>((done) => server.listen(path, done));
    return path;
  }
  const here = (more: PlaceSource["environment"] = {}): PlaceSource =>
    source({ XDG_RUNTIME_DIR: join(base, "xdg"), ...more }, base);
  const own = (): string => join(base, `linkseal-${uid}`);
  const noneOf = (looked: readonly string[]) => ({ kind: "none", looked, foreign: [] });

  it("a client with a socket flag uses that path alone", async () => {
    await listen(join(base, "xdg/linkseal/view.sock"));
    const looked = [join(base, "x.sock")];
    expect(findSocket("view", join(base, "x.sock"), here())).toEqual(noneOf(looked));
  });

  it("a client with LINKSEAL_HOME searches there alone", async () => {
    await listen(join(base, "xdg/linkseal/view.sock"));
    const search = (): unknown => findSocket("view", undefined, here({ LINKSEAL_HOME: base }));
    expect(search()).toEqual(noneOf([join(base, "run/view.sock")]));
    const path = await listen(join(base, "run/view.sock"));
    expect(search()).toEqual({ kind: "found", paths: [path] });
  });

  it("a client searches XDG, the temporary folder and /run, for each role", async () => {
    const second = await listen(join(own(), "run/view.sock"));
    const first = await listen(join(base, "xdg/linkseal/view.sock"));
    expect(findSocket("view", undefined, here())).toEqual({
      kind: "found",
      paths: [first, second],
    });
    const looked = [
      join(base, "xdg/linkseal/admin.sock"),
      join(own(), "run/admin.sock"),
      "/run/linkseal/admin.sock",
    ];
    expect(findSocket("admin", undefined, here())).toEqual(noneOf(looked));
  });

  it("a client does not take a plain file for a socket", async () => {
    await writeFile(join(base, "x.sock"), "");
    expect(findSocket("view", join(base, "x.sock"), here()).kind).toBe("none");
  });

  describe("a socket of another user", () => {
    /** A user who is neither root nor the one that made the files. */
    const stranger = 65_533;

    /** Gives a path to the stranger, as far as this user may; else the client is the stranger. */
    async function given(...paths: readonly string[]): Promise<PlaceSource> {
      if (uid !== 0) return { ...here(), uid: stranger };
      for (const path of paths) await lchown(path, stranger, stranger);
      return here();
    }
    const owner = uid === 0 ? stranger : uid;

    it("a client does not believe a socket of another user under XDG_RUNTIME_DIR", async () => {
      const path = await listen(join(base, "xdg/linkseal/view.sock"));
      const search = findSocket("view", undefined, await given(path, dirname(path)));
      expect(search).toMatchObject({ kind: "none", foreign: [{ path, uid: owner }] });
    });

    it("a client does not believe a socket in a folder of another user", async () => {
      const path = await listen(join(base, "xdg/linkseal/view.sock"));
      const search = findSocket("view", undefined, await given(dirname(path)));
      expect(search).toMatchObject({ kind: "none", foreign: [{ path, uid: owner }] });
    });

    it("a client that names the socket of another user does not believe it either", async () => {
      const path = await listen(join(base, "x/view.sock"));
      const source = await given(path, dirname(path));
      expect(findSocket("view", path, source)).toEqual({
        ...{ kind: "none", looked: [path], foreign: [{ path, uid: owner }] },
      });
    });
  });

  it("a client trusts no temporary folder that other users can write or made", async () => {
    const path = await listen(join(own(), "run/view.sock"));
    await chmod(own(), 0o770);
    expect(findSocket("view", undefined, here()).kind).toBe("none");
    await chmod(own(), 0o700);
    expect(findSocket("view", undefined, here())).toEqual({ kind: "found", paths: [path] });
    const stranger = { ...here(), uid: uid + 1 };
    await mkdir(join(base, `linkseal-${uid + 1}/run`), { recursive: true, mode: 0o700 });
    await listen(join(base, `linkseal-${uid + 1}/run/view.sock`));
    expect(findSocket("view", undefined, stranger).kind).toBe("none");
  });
});
