/* What the daemon's API answers: docs/daemon.md, and GET /api/v1/openapi.json. */

export type Scope = "call" | "deploy" | "admin";

export interface Session {
    scopes: Scope[];
    /** Logs, events and traces. */
    may_read_logs: boolean;
    key_id: string | null;
    chain: string | null;
    keys_wanted: boolean;
    home: string | null;
    version: string;
}

export interface Scaling {
    min_replicas: number;
    max_replicas: number;
    concurrency_target: number;
    target_utilization: number;
    window_s: number;
    scale_down_delay_s: number;
    scale_to_zero_delay_s: number;
}

export interface Replica {
    state: string;
    pid: number;
    pod: string | null;
    node: string | null;
    restarts: number;
    since: string;
    last_end: string | null;
    gpus: string[];
}

export interface Chainlet {
    name: string;
    entrypoint: boolean;
    state: string;
    ready: number;
    wanted: number;
    in_flight: number;
    waiting: number;
    notes: string[];
    scaling: Scaling;
    override: Partial<Scaling> & { set_at?: string } | null;
    replicas: Replica[];
}

export interface Rates {
    calls_per_s: number;
    errors_per_s: number;
    p50_ms: number | null;
    p99_ms: number | null;
}

export interface Fetched {
    files: number;
    files_done: number;
    bytes: number;
    bytes_done: number;
    bytes_per_s: number;
    verifying: boolean;
    trouble: string | null;
}

export interface Deployment {
    version: number;
    version_id: string;
    state: string;
    chainlet: string | null;
    message: string | null;
    chainlets: Chainlet[];
    assets: Fetched | null;
}

export interface CanarySide {
    calls: number;
    failed: number;
    p99_ms: number;
}

export interface Trial {
    version_id: string;
    percent: number;
    since: string;
    until: string;
    old_version: CanarySide;
    new_version: CanarySide;
}

/** A chain in one environment. */
export interface Chain {
    name: string;
    environment: string;
    entrypoint: string;
    state: string;
    url: string;
    version: number;
    version_id: string | null;
    previous_version_id: string | null;
    deployed_at: string | null;
    chainlets: Chainlet[];
    deployment: Deployment;
    canary: Trial | null;
    clients?: Rates | null;
}

export interface Version {
    id: string;
    number: number;
    state: string;
    message: string | null;
    kept: boolean;
    source_digest: string | null;
    interface: string | null;
    created_by: string | null;
    created_at: string;
    ready_at: string | null;
    environments: string[];
}

/** Of what nobody counts, as calls within a process, rates are null. */
export interface Measured {
    calls_per_s: number | null;
    errors_per_s: number | null;
    p50_ms: number | null;
    p99_ms: number | null;
}

export interface Box extends Measured {
    name: string;
    entrypoint: boolean;
    state: string;
    ready: number;
    wanted: number;
    external: boolean;
    concurrency: number;
    slots: number;
    in_flight: number;
    waiting: number;
    cpu: number;
    memory: number;
    gpu: string | null;
    colocated_in: string | null;
}

export interface Edge extends Measured {
    caller: string;
    callee: string;
    retries_per_s: number | null;
    colocated: boolean;
}

export interface Graph {
    chain: string;
    environment: string;
    version_id: string | null;
    window_s: number;
    clients: Rates;
    chainlets: Box[];
    edges: Edge[];
}

export interface Series {
    step_s: number;
    at: number[];
    [column: string]: (number | null)[] | number;
}

export interface Config {
    name: string;
    c_name: string;
    config: Record<string, unknown>;
    override: Partial<Scaling> | null;
}

export interface PastReplica {
    id: number;
    version: string;
    pid: number;
    started_at: string;
    ready_at: string | null;
    ended_at: string | null;
    ending: string | null;
    exit_status: number | null;
    signal: number | null;
    how: string | null;
}

export interface Happening {
    id: number;
    at: string;
    kind: string;
    chain: string | null;
    chainlet: string | null;
    message: string;
    details: Record<string, unknown> | null;
}

export interface Trace {
    trace_id: string;
    number: number;
    chain: string;
    chainlet: string;
    request_id: string;
    state: string;
    status: string;
    message: string | null;
    raised_by: string | null;
    file: string | null;
    line: number;
    started_at: string;
    duration_ms: number;
    chainlets: string[];
    spans: number;
    dropped: number;
}

export interface Span {
    span_id: string;
    parent_id: string | null;
    orphan: boolean;
    depth: number;
    kind: "front" | "served" | "made" | "local" | "attempt" | "hedge";
    chainlet: string;
    callee: string | null;
    attempt: number;
    status: string;
    start_ms: number;
    duration_ms: number;
    queue_ms: number | null;
    decode_ms: number | null;
    run_ms: number | null;
    encode_ms: number | null;
    items: number | null;
    first_item_ms: number | null;
    pid: number;
    message: string | null;
    raised_by: string | null;
    file: string | null;
    line: number;
    /** Where a failure left its Chainlet: "FUNCTION FILE:LINE". */
    left_at: string | null;
}

export interface TracePage {
    traces: Trace[];
    next: string | number | null;
    kept: number;
    lost: number;
}

export interface AsyncRequest {
    request_id: string;
    chain: string;
    environment: string;
    version: string | null;
    chainlet: string | null;
    status: string;
    priority: number;
    retries: number;
    attempts: number;
    created_at: string;
    not_before: string | null;
    started_at: string | null;
    ended_at: string | null;
    webhook: string | null;
    webhook_status?: string;
    error: ErrorBody | null;
    result?: unknown;
}

export interface Key {
    id: string;
    scope: Scope;
    rate_per_s: number;
    chain: string | null;
    note: string | null;
    created_at: string;
    revoked_at: string | null;
    last_used_at: string | null;
}

export interface Secret {
    name: string;
    updated_at: string;
}

export interface LogLine {
    at: string;
    environment: string | null;
    version: string | null;
    chainlet: string;
    replica: number | string | null;
    level: string | null;
    request_id: string | null;
    message: string;
}

export interface Hop {
    chainlet: string;
    function: string;
    file: string;
    line: number;
    message: string | null;
}

export interface ErrorBody {
    status: string;
    message: string;
    path?: string | null;
    trace?: Hop[];
    request_id?: string;
}

/** As much of JSON Schema as Chainlets' documents use. */
export interface Schema {
    $ref?: string;
    anyOf?: Schema[];
    type?: string | string[];
    description?: string;
    default?: unknown;
    enum?: (string | null)[];
    properties?: Record<string, Schema>;
    required?: string[];
    items?: Schema;
    additionalProperties?: Schema;
    contentEncoding?: string;
    minimum?: number;
    maximum?: number;
    minLength?: number;
    maxLength?: number;
    minItems?: number;
    maxItems?: number;
}

export interface Document {
    info: { title: string; description?: string };
    paths: Record<string, {
        post: {
            summary?: string;
            description?: string;
            requestBody?: { content: Record<string, { schema: Schema }> };
            responses: Record<string, {
                content?: Record<string, { schema?: Schema; "x-item"?: Schema }>;
            }>;
        };
    }>;
    components?: { schemas?: Record<string, Schema> };
}
