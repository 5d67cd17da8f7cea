// What a hook of storms sees of the decisions that the tables give, and may replace.

import type { Campaign, CampaignState, Facts, Step } from "./campaign.ts";
import type { Cause } from "./reason.ts";
import type { TunnelChange, TunnelFacts, TunnelStep } from "./tunnel-change.ts";

/** A decision of a runner; what is not read-only may be replaced. */
type Decision =
  /** The step that the tables give. */
  | { readonly kind: "step"; readonly campaign: Campaign; readonly facts: Facts; step: Step }
  /** The objection of observations since then to relying on a sibling; undefined = none. */
  | { readonly kind: "doubt"; doubt: Cause | undefined }
  /** The journal holds the step. */
  | {
      readonly kind: "taken";
      readonly campaign: Campaign;
      readonly row: string;
      readonly next: CampaignState;
    }
  /** The step that the tunnels' table gives. */
  | {
      readonly kind: "tunnelStep";
      readonly change: TunnelChange;
      readonly facts: TunnelFacts;
      step: TunnelStep;
    };

/** The hook of storms, which count rows and seed defects. */
export type OnDecision = (decision: Decision) => void;
