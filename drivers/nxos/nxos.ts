// Cisco NX-OS at its command line. There is no candidate and no timer: each line takes effect when
// it is entered. A checkpoint in the memory of the switch takes back what was entered if a line is
// refused; it contains keys, so it is removed as soon as the change is verified.

import { LinksealError } from "#hal/error.ts";
import { BootedSession } from "../platform/cisco-boot.ts";
import { stagingBy } from "../platform/cisco-direct.ts";
import type { Dialect } from "../platform/define-dialect.ts";
import { defineDriver } from "../platform/define-driver.ts";
import { failed, leaving } from "../platform/query.ts";
import { finish, offersOf } from "../platform/stage.ts";
import { Cli, line } from "../transport/cli.ts";
import { readFeatures } from "./config.ts";
import { checkpointOf, isOwnCheckpoint } from "./names.ts";
import { planOf } from "./plan.ts";
import { capabilitiesOf } from "./quirks.ts";
import { textOf } from "./renderer.ts";
import { type NxSession, type NxWork, queryOf, router } from "./requests.ts";
import { isRolledBack, readCheckpoints, readSoftware } from "./system-parsers.ts";
import { terminal } from "./terminal.ts";

const offers = offersOf({
  commit: { kind: "immediate" },
  macsec: {
    // Cisco's guide: with another vendor's device only extended packet numbers work.
    suites: ["gcm-aes-xpn-128", "gcm-aes-xpn-256"],
    overlap: "fallback",
    counters: "perPort",
    always: ["includeSci", "replayWindow"],
  },
  means: ["prepend", "peeringShutdown"],
});

/** Its requests. */
export const dialect: Dialect<NxSession> = {
  ...router.requests,
  name: "nxos",
  offers,
  channel: "shell",
  async open(channel, { where, entropy, before }, signal) {
    const cli = await Cli.open(channel, { platform: terminal, where, entropy }, signal);
    return new BootedSession(cli, before?.boot);
  },
  async capabilities({ cli }, signal) {
    const query = queryOf(cli, signal);
    const software = await query.needed(query.result("version", readSoftware));
    const features = await query.result("macsecConfig", readFeatures);
    // Where the feature is not known, each reading of MACsec is unknown, and no change is sent.
    return capabilitiesOf(offers, software, "why" in features || features.value.has("macsec"));
  },
  async commits() {
    // Nothing waits for a confirm, and no list has the changes.
    return [];
  },
  async lock({ cli }, signal) {
    // A session that died has left its checkpoint, and there are keys in it.
    const query = queryOf(cli, signal);
    const names = await query.needed(query.result("checkpoints", readCheckpoints));
    const own = names.filter(isOwnCheckpoint);
    await cli.run(
      own.map((name) => line`no checkpoint ${name}`),
      "none",
      signal,
    );
  },
  ...stagingBy<NxSession, NxWork>(router.render),
  commit: (session, note, _withinMs, signal) => commit(session, checkpointOf(note), signal),
  async complete(session, change, signal) {
    await router.refresh(session, change, signal);
    await finish(session.cli, [line`copy running-config startup-config`], signal);
  },
  async undo({ cli }) {
    throw failed("device.commitExpired", "no commit waits for its confirm", cli.where);
  },
};

/** The driver of Cisco NX-OS. */
export const nxos = defineDriver(dialect);

/** Enters the lines, reads them back, and removes the checkpoint when either is done. */
async function commit(session: NxSession, name: string, signal: AbortSignal): Promise<void> {
  const { cli, staged } = session;
  if (staged === undefined) return;
  await cli.run([line`checkpoint ${name}`], "none", signal);
  try {
    await cli.run([line`configure terminal`, ...staged.sent, line`end`], "unknown", signal);
    const { config } = await router.configIn(session, signal);
    if (!staged.planned.every((plan) => textOf(planOf(config, plan.port)) === textOf(plan))) {
      const text = "the switch took the lines, and its configuration is not what was wanted";
      throw failed("device.rejected", text, cli.where);
    }
  } catch (error) {
    if (cli.isOver || !(error instanceof LinksealError)) throw error;
    throw await takenBack(session, name, error, signal);
  }
  await finish(cli, [line`no checkpoint ${name}`], signal);
}

/** Puts back the checkpoint; returns the error with what has become of the change. */
async function takenBack(
  session: NxSession,
  name: string,
  error: LinksealError,
  signal: AbortSignal,
): Promise<LinksealError> {
  const { cli } = session;
  try {
    await session.leave(signal);
    const back = line`rollback running-config checkpoint ${name} atomic`;
    if (isRolledBack(await cli.run([back], "unknown", signal))) {
      await cli.run([line`no checkpoint ${name}`], "none", signal);
      return leaving(error, "none", error.message, cli.where);
    }
  } catch (other) {
    if (!(other instanceof LinksealError)) throw other;
  }
  const text = `a line was refused, and the lines before it may be in force: ${error.message}`;
  return leaving(error, "unknown", text, cli.where);
}
