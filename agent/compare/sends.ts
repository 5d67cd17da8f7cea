// What the steps of a plan send to devices of ours. Pure.

import type { DeviceChange } from "#hal/device.ts";

/** What a device is sent for one step, as far as it is known before the step. */
export type Sends =
  /** As the driver sends it to the device as it is now; every secret is its label. */
  | { readonly kind: "lines"; readonly lines: readonly string[] }
  /** The lines of the step with this number are taken back. */
  | { readonly kind: "undoes"; readonly step: number }
  /** The device cannot be asked, or refuses the change as it is now. */
  | { readonly kind: "unknown"; readonly why: string };

/** Looks up what a device is sent for a change; undefined = it was not asked. */
export type SendsOf = (device: string, change: DeviceChange) => Sends | undefined;

/** A step before it has its number. */
interface Draft {
  /** The device, or the far end. */
  readonly where: string;
  /** What the step asks of the device; absent = it sends nothing to a device of ours. */
  readonly change?: DeviceChange;
}

/** A step with its number; what it asks of the device has become what the device is sent. */
export type Numbered<T extends Draft> = Omit<T, "change"> & {
  readonly n: number;
  readonly sends?: Sends;
};

/** Numbers the steps from 1, and looks up what each of them sends. */
export function numbered<T extends Draft>(
  drafts: readonly T[],
  sendsOf: SendsOf,
): readonly Numbered<T>[] {
  return drafts.map((draft, index) => {
    const { change, ...step } = draft;
    const sends =
      change === undefined
        ? undefined
        : (undoneBy(draft.where, change, drafts.slice(0, index)) ?? sendsOf(draft.where, change));
    return { n: index + 1, ...step, ...(sends === undefined ? {} : { sends }) };
  });
}

/** A port that is not drained yet has no lines that could be taken back. */
function undoneBy(
  where: string,
  change: DeviceChange,
  before: readonly Draft[],
): Sends | undefined {
  const [restore] = change;
  if (restore?.kind !== "port.restore") return undefined;
  const at = before.findLastIndex(
    (draft) =>
      draft.where === where &&
      draft.change?.some((one) => one.kind === "port.drain" && one.port === restore.port),
  );
  return at < 0 ? undefined : { kind: "undoes", step: at + 1 };
}
