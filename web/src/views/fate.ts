/* What became of a deployment, in words. */
import type { Deployment, ErrorBody } from "../api/types";

/** Of one that failed. Where it wasn't a Chainlet that failed, the reason goes on from the title. */
export function fateOf(deployment: Pick<Deployment, "version_id" | "chainlet" | "message">): { title: string; error: ErrorBody } {
    const { version_id, chainlet, message } = deployment;
    return {
        title: `Version ${version_id} failed${chainlet ? "." : ":"}`,
        error: { status: chainlet ?? "", message: message ?? "nothing is known of why" },
    };
}
