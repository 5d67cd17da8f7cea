// An agent whose routers speak Junos.

import { JunosFace, junosModel } from "#sim/faces/junos.ts";
import { type JunosModel, junosDriver } from "../conformance/junos-place.ts";
import { FaceStage } from "./face-stage.ts";

export function junosStage(seed: string, platform: JunosModel): FaceStage {
  const { capabilities } = junosModel;
  const { macsec } = capabilities;
  if (macsec === undefined) throw new RangeError("no MACsec");
  const model = {
    ...junosModel,
    capabilities: { ...capabilities, macsec: { ...macsec, overlap: platform.overlap } },
  };
  const faceOf = (router: ConstructorParameters<typeof JunosFace>[0]): JunosFace =>
    new JunosFace(router, platform);
  return new FaceStage(seed, { driver: junosDriver(), model, faceOf, echo: "none" });
}
