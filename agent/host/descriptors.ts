// Descriptors that the service manager keeps for a service and passes to its next process:
// sd_listen_fds(3).

/**
 * Returns the descriptors with this name. The environment variables are removed, because they are
 * for this process alone.
 */
export function heldDescriptors(name: string): readonly number[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count, LISTEN_FDNAMES: names } = process.env;
  for (const variable of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) {
    delete process.env[variable];
  }
  if (Number(pid) !== process.pid || !/^\d{1,3}$/.test(count ?? "")) return [];
  const first = 3;
  const all = (names ?? "").split(":").slice(0, Number(count));
  return all.flatMap((one, index) => (one === name ? [first + index] : []));
}
