// The processor time of some work, independent of other programs on the machine.

/** Returns milliseconds of this process, in all of its threads. */
export function processorMs(work: () => void): number {
  const since = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1_000;
}
