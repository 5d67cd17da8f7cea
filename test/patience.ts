/**
 * How long a test waits for what must come, in milliseconds of real time. A computer at a load of
 * forty takes twenty times as long as a quiet one; only a fault makes a test wait so long.
 */
export const patienceMs = 1_200_000;
