// Messages that an agent published, as those of another site.

/** Messages of one site, in order. */
export interface Recording {
  readonly statuses: readonly string[];
  readonly events: readonly string[];
}

/** Returns a recorded status as that of this site, now. */
export function recordedStatus({ statuses }: Recording, turn: number, site: string): Uint8Array {
  const status: object = JSON.parse(statuses[turn % statuses.length] ?? "{}") as object;
  return Buffer.from(JSON.stringify({ ...status, site, at: new Date().toISOString() }));
}

/** Returns a recorded audit record. */
export function recordedEvent({ events }: Recording, turn: number): Uint8Array {
  return Buffer.from(events[turn % events.length] ?? "");
}
