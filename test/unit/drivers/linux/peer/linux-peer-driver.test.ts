// The tests of the driver, with the agent on another host than the one that it drives.

import { LinuxBench } from "../driver/linux-bench.ts";

LinuxBench.reach = "peer";
await import("../driver/linux-driver.test.ts");
await import("../driver/linux-keys.test.ts");
