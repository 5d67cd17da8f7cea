// The sentence of each row of the rotation tables: what the operator reads on the status page, in
// the log and in docs/rotation.md.

const changeFarEndNow = "drained: change the far end now";
const confirmMissing = "the staged key still waits for its confirmation";
const farEndAsked = "the far end is asked to use the new key";
const farEndChanged = "the far end was changed";
const farEndChanging = "the far end is being changed";
const farEndUnread = "the far end cannot be read";
const keyReverting = "waiting until the router has taken the staged key back";
const loseDrain = "the router accepted the drain and lost it, several times";
const newKeyGone = "the new key is gone from the port";
const oddPort =
  "the port is neither as before nor as planned: its key is gone, or something else is there";
const oldKeyGone = "the old key is gone from the port while the far end still uses it";
const routerHoldsBoth = "the router holds both keys";
const routerUnread = "the router cannot be read";
const someEndUnread = "the router or the far end cannot be read";
const startsDrained = "the way back starts with moving the traffic away";
const takesBackFirst = "the staged key is rolled back first";
const tookTooLong =
  "both keys are on the router and the far end is on the new one: not done in time";
const validatesNewFirst = "the new key is validated on the router first";
const wentBack = "the far end went back to the old key";

/** The rows that several states have; the code of one is `STATE.NAME`. */
export const sharedRows = {
  reopen: "the port was shut for the change of the key: it opens again",
  giveBack: "the sibling was lost while this link is usable: the traffic comes back first",
  parkRollBack: "the staged key is not needed: its commit is rolled back",
  parkRestore: "the link is usable: its traffic comes back while the campaign waits",
  foreignCommit: "a commit that is not of this campaign is pending on the router",
  foreignCommitStays: "a commit that is not of this campaign stays pending on the router",
} as const;

/** The rows whose sentence depends on nothing. */
export const plainRows = {
  "queued.free": "no other campaign runs in this group",
  "gated.leftoverKey": `${oddPort} (gate.leftoverKey)`,
  "gated.follow": "the far end has the new key and the link is dark",
  "gated.addForFar": "the far end has the new key and the link is dark: the router gets it too",
  "gated.lateChange":
    "the router may still carry out a removal of the new key, sent up to 20 minutes ago",
  "gated.askPerson": "a person must point the far end at the new key",
  "gated.open": "all checks passed",
  "draining.unreadLate": "the router cannot be read, and the link cannot be drained",
  "draining.unread": routerUnread,
  "draining.siblingLostBegun": "the sibling was lost while the traffic moved away",
  "draining.siblingLost": "the sibling was lost before anything was begun",
  "draining.pending": confirmMissing,
  "draining.lostBegun": loseDrain,
  "draining.lost": loseDrain,
  "draining.again": "the traffic is moved away",
  "draining.back": "drained: back to the old key",
  "draining.strange": "the two ends show a state that no campaign made",
  "draining.updating": farEndChanging,
  "draining.farUnseenLate": farEndUnread,
  "draining.farUnseen": farEndUnread,
  "draining.farNew": "the far end is on the new key, and so is the router",
  "draining.follow": "the far end has the new key already",
  "draining.farNewFirst": "the far end has the new key already: the router gets it too",
  "draining.newAlone": "the far end never took the new key",
  "draining.validated": changeFarEndNow,
  "draining.validates": validatesNewFirst,
  "draining.breaks": "drained: the far end comes first",
  "draining.stages": "drained: the new key joins the old one on the router",
  "draining.staged": `drained: ${routerHoldsBoth}`,
  "draining.oldKeyGone": oldKeyGone,
  "staging.unreadLate": "the router cannot be read while a key is being staged",
  "staging.unread": routerUnread,
  "staging.confirm": "both keys are there and the old one still carries: confirmed",
  "staging.rollBack": "the staged key could not be verified: it is rolled back",
  "staging.stuck": "the staged key can be neither confirmed nor rolled back",
  "staging.abort": "the staged key could not be verified: the router will take it back",
  "staging.bothAborted": "the staged key is to be taken back",
  "staging.both": routerHoldsBoth,
  "staging.addForFar": "the far end has the new key: the router gets it too",
  "staging.undrained": "the link is not drained any more",
  "staging.stage": "the new key is put beside the old one",
  "staging.addAgain": "the new key is put beside the old one again",
  "staging.newAlone": "both ends hold the new key",
  "staging.newUnread": "the router holds the new key alone: the far end is read first",
  "staging.oldKeyGone": "the port holds neither the old key nor what was staged",
  "staged.unreadLate": someEndUnread,
  "staged.unread": someEndUnread,
  "staged.pending": confirmMissing,
  "staged.updating": farEndChanging,
  "staged.newKeyGone": newKeyGone,
  "staged.farNew": "the far end is on the new key already",
  "staged.askPerson":
    "both keys wait on the router: a person must point the far end at the new one",
  "staged.tellPerson": changeFarEndNow,
  "staged.put": farEndAsked,
  "awaitingPeer.follow": farEndChanged,
  "awaitingPeer.changed": farEndChanged,
  "awaitingPeer.changedEarly": "the far end was changed and the new key is gone from the port",
  "awaitingPeer.farOther":
    "the far end has neither its old nor its new settings, or its change failed",
  "awaitingPeer.newKeyGone": newKeyGone,
  "awaitingPeer.oldKeyGone":
    "the port does not hold the keys that wait for the change of the far end any more",
  "awaitingPeer.proceed": "the operator sent proceed",
  "switching.farUnsettledLate":
    "it is not known whether the far end took the change: look at it before anything else",
  "switching.farUnsettled": "waiting for the far end to finish its change",
  "switching.both": "the far end is on the new key",
  "switching.unreadLate": "the far end has the new key and the router cannot be read",
  "switching.unread": routerUnread,
  "switching.followed": "both ends hold the new key",
  "switching.strange": oddPort,
  "switching.half": "the far end reports the new key, yet the link still works in its old state",
  "switching.stillOld": "waiting for the link to leave its old state",
  "switching.lostCommits": "the router accepted the new key and lost it, several times",
  "switching.halfUndrained":
    "half of the new settings is on the router and carries: the rest begins with a drain",
  "switching.replace": "the far end is ready: the router follows",
  "switching.prepare": "the new key is validated on the router",
  "switching.newKeyGone": "the new key is not on the router, and the far end is still as before",
  "switching.personLate": "the far end was not changed in time",
  "switching.personWaits": "change the far end now: it is still as before",
  "switching.prepareFirst": validatesNewFirst,
  "switching.putAgain": farEndAsked,
  "proving.pending": "the new key is in use: its commit is confirmed",
  "proving.staleSakLate": "the SAK is still one that the old key protected",
  "proving.freshSak": "the SAK is older than the new key: a fresh one is asked for",
  "proving.staleSak": "waiting for a SAK that the old key never protected",
  "proving.proven": "the new key is proven in both directions",
  "proving.strange": "the new key works, and the port holds something else beside it",
  "proving.promote": "the new key is proven: it becomes the primary one",
  "proving.soak": "the new key is proven: it carries the traffic before the old one goes",
  "proving.retire": "the new key is proven in both directions: the old one goes",
  "proving.farBackEnrol": "the far end left the new key: put it back, or resume",
  "proving.farBackByHand": wentBack,
  "proving.farBackBroken": `${wentBack} and the router holds the new one`,
  "proving.farBack": wentBack,
  "proving.follow": "the new key is not on the port",
  "proving.newKeyGone": newKeyGone,
  "promoting.promoted": "the new key is the primary one: it is proven again",
  "promoting.keyGone": "one of the two keys is gone from the port",
  "promoting.late": tookTooLong,
  "promoting.unread": someEndUnread,
  "promoting.promote": "the new key is made the primary one",
  "retiring.fresh": "the old key is gone: the new one is proven with a fresh SAK",
  "retiring.retired": "the old key is gone",
  "retiring.newKeyGone": `${newKeyGone}: the link may be dark`,
  "retiring.late": tookTooLong,
  "retiring.unread": someEndUnread,
  "retiring.remove": "the old key is removed",
  "restoring.unreadLate": "the router cannot be read while the traffic should come back",
  "restoring.unread": routerUnread,
  "restoring.rollBack": takesBackFirst,
  "restoring.restore": "the traffic comes back",
  "restoring.enrolled": "the link is protected",
  "restoring.changed": "the link is protected with its new settings",
  "restoring.rotated": "the link is protected by its new key alone",
  "restoring.reverted": "the link carries as it did before",
  "held.goesOn": "time alone held it, and both ends are whole again: it goes on, once",
  "reverting.late": "the way back was not done in time",
  "reverting.unread": "waiting to read both ends",
  "reverting.rollBack": takesBackFirst,
  "reverting.pending": keyReverting,
  "reverting.farOther":
    "the far end is set to nothing of this campaign: a person must put the old key there",
  "reverting.farEnrol": "an enrolment never goes back: a person must take MACsec off at both ends",
  "reverting.farByHand":
    "a person must point the far end back at the old key, then resume or revert",
  "reverting.oldKeyGone": "the old key is gone from the port: an ordinary rotation is the way back",
  "reverting.undrained": startsDrained,
  "reverting.halfUndrained": startsDrained,
  "reverting.prepare": "the old key is validated on the router first",
  "reverting.put": "the far end is asked to use the old key again",
  "reverting.enrolBare": "nothing of this campaign is on either end",
  "reverting.enrolKeyed":
    "the router holds a key while the far end has MACsec off: a person must clear it",
  "reverting.replacedBack": "both ends are as they were",
  "reverting.replaceBack": "the far end is as before: the router follows",
  "reverting.prepareLate": "the old key is validated on the router",
  "reverting.breakWaits": "waiting for the link to work with the old key",
  "reverting.noOldKey": "the old key is not on the port: the campaign cannot go back by itself",
  "reverting.removed": "both ends are back on the old key alone",
  "reverting.removeUndrained": startsDrained,
  "reverting.remove": "the new key is removed",
} as const;

/** As `plainRows`, of the change of a tunnel's key or certificate. */
export const plainTunnelRows = {
  "tunnel.newer.person": "a person must give it to the gateway",
  "tunnel.newer.agent": "it is given to the gateway soon",
  "tunnel.newer.certificate": "it is shown to the gateway soon",
  "tunnel.waiting.proceedGive": "the operator sent proceed: it is given to the gateway first",
  "tunnel.waiting.proceed": "the operator sent proceed: the gateway has it",
  "tunnel.waiting.refused": "the gateway refuses the version in use: the router tries this one",
  "tunnel.waiting.shown": "the router shows it to the gateway",
  "tunnel.waiting.give": "it is given to the gateway, and ours follows",
  "tunnel.giving.proceed": "the operator sent proceed: the gateway has it",
  "tunnel.giving.leave": "the gateway may have it already: a person must decide which one it keeps",
  "tunnel.giving.given": "the gateway has it: it is set on the router, and not proven yet",
  "tunnel.giving.allRefused":
    "the gateway refuses the version in use: the router finds out which one it has",
  "tunnel.giving.put": "it is given to the gateway, and ours follows",
  "tunnel.switching.undrain": "one tunnel has proven it: its traffic comes back",
  "tunnel.switching.drain": "the traffic of a tunnel is led away while it authenticates",
  "tunnel.switching.take": "it is set on the router, and not proven yet",
  "tunnel.switching.proven": "it is proven, and in use",
  "tunnel.returning.proceedGive": "the operator sent proceed: it is given to the gateway again",
  "tunnel.returning.proceed": "the operator sent proceed: the gateway has it",
  "tunnel.returning.putBack": "the version in use goes back to the router first",
  "tunnel.returning.overHeld": "the router has the version in use again",
  "tunnel.returning.overWaiting": "the router has the version in use again",
  "tunnel.returning.mayLand": "the gateway gets it back once nothing else can land there",
  "tunnel.returning.giveBack": "the gateway gets the version in use back",
  "tunnel.returning.over": "both ends have the version in use again",
  "tunnel.held.proceedGive": "the operator sent proceed: it is given to the gateway first",
  "tunnel.held.proceed": "the operator sent proceed: the gateway has it",
  "tunnel.held.refused": "the gateway refuses the version in use: the router tries this one",
} as const;

type Caused = (cause: string) => string;

const alone: Caused = (cause) => cause;
const drainLate: Caused = (cause) => `the link could not be drained in time: ${cause}`;
const proofLate: Caused = (cause) => `no proof in time: ${cause}`;
const proofLost: Caused = (cause) => `the proof does not hold any more: ${cause}`;
const asksPerson: Caused = (cause) => `${plainRows["gated.askPerson"]}; ${cause}`;
const refusesNew: Caused = (cause) => `the router refuses the new key: ${cause}`;
const refusesOld: Caused = (cause) => `the router refuses the old key: ${cause}`;
const notInTime: Caused = (cause) => `the far end did not take the new key in time: ${cause}`;

/** As `sharedRows`, of a row whose sentence depends on a cause below it. */
export const sharedCausedRows = { parkConfirm: alone } as const;

/** The rows whose sentence depends on a cause below them. */
export const causedRows = {
  "gated.dark": (cause: string) => `the link is dark: ${cause}`,
  "gated.closed": alone,
  "draining.withheld": alone,
  "draining.lateBegun": drainLate,
  "draining.late": drainLate,
  "draining.waits": alone,
  "draining.refused": refusesNew,
  "draining.unvalidated": (cause: string) =>
    `the router did not validate the new key in time: ${cause}`,
  "staging.needed": alone,
  "staging.verifies": alone,
  "staging.farNewRefused": (cause: string) =>
    `the far end has the new key and the router does not take it: ${cause}`,
  "staging.refused": refusesNew,
  "staging.turnBack": (cause: string) =>
    `the new key could not be put beside the old one: ${cause}`,
  "staging.waits": alone,
  "staged.strange": alone,
  "staged.giveUp": alone,
  "staged.waits": alone,
  "awaitingPeer.unreadable": asksPerson,
  "awaitingPeer.waits": asksPerson,
  "switching.farFailed": alone,
  "switching.refused": refusesNew,
  "switching.eitherLate": (cause: string) => `the router did not take the new settings: ${cause}`,
  "switching.eitherWaits": alone,
  "switching.halfWaits": (cause: string) =>
    `half of the new settings is on the router and carries, the rest waits: ${cause}`,
  "switching.unready": (cause: string) => `leave the far end as it is for now: ${cause}`,
  "switching.oldRefused": refusesNew,
  "switching.unpreparedLate": (cause: string) =>
    `the router could not be given the new key in time: ${cause}`,
  "switching.late": notInTime,
  "switching.lateAlone": (cause: string) => `${notInTime(cause)}, and the sibling was lost`,
  "switching.putWaits": alone,
  "proving.laterSakLateHeld": proofLate,
  "proving.laterSakLate": proofLate,
  "proving.laterSak": alone,
  "proving.laterSakGated": alone,
  "proving.laterSakWaits": alone,
  "proving.promoteLater": alone,
  "proving.retireLater": alone,
  "proving.farOther": (cause: string) => `the new key cannot be proven: ${cause}`,
  "proving.lateHeld": proofLate,
  "proving.late": proofLate,
  "proving.waits": alone,
  "promoting.unproven": proofLost,
  "promoting.giveUp": alone,
  "promoting.waits": alone,
  "retiring.unproven": proofLost,
  "retiring.giveUp": alone,
  "retiring.waits": alone,
  "restoring.confirm": alone,
  "restoring.unfinished": alone,
  "restoring.late": (cause: string) => `the traffic is not back in time: ${cause}`,
  "restoring.waits": alone,
  "reverting.confirm": alone,
  "reverting.refused": refusesOld,
  "reverting.putWaits": alone,
  "reverting.backRefused": refusesOld,
  "reverting.notYet": (cause: string) =>
    `the old key must be proven before the new one goes: ${cause}`,
  "reverting.removeWaits": alone,
} as const;

/** As `causedRows`, of the change of a tunnel's key or certificate. */
export const causedTunnelRows = {
  "tunnel.waiting.closed": alone,
  "tunnel.giving.notGiven": (cause: string) => `the gateway does not take it: ${cause}`,
  "tunnel.giving.withdrawn": (cause: string) => `the vault took it back: ${cause}`,
  "tunnel.giving.either": (cause: string) => `the gateway may have either key: ${cause}`,
  "tunnel.switching.refused": alone,
  "tunnel.switching.unproven": alone,
  "tunnel.returning.failed": (cause: string) =>
    `the version in use is not back at both ends: ${cause}`,
} as const;
