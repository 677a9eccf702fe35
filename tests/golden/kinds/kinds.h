#pragma once
#include <chains.h>

/** How loud. */
typedef enum {
    KINDS_SOFT CHAINS_NAME("soft"),      /**< Hardly heard. */
    KINDS_LOUD CHAINS_NAME("loud") = -7, /**< Say "what??)" \ again. */
    KINDS_PLAIN
} kinds_volume;

/** A point. */
typedef struct {
    double x CHAINS_RANGE(-1e300, 0.1);
    float y CHAINS_DEFAULT(1.5f) CHAINS_RANGE(0, 2);
} kinds_point;
CHAINS_LIST(kinds_point, kinds_points);
CHAINS_LIST(kinds_points, kinds_lines);
CHAINS_MAP(kinds_points, kinds_shapes);

/** Contains itself. */
CHAINS_LIST_FORWARD(struct kinds_tree, kinds_trees);
typedef struct kinds_tree {
    const char *label CHAINS_LENGTH(1, 20);
    kinds_trees children; /**< Below this one. */
} kinds_tree;

/** One of everything. */
typedef struct kinds_all {
    bool flag CHAINS_DEFAULT(true);
    int8_t i8 CHAINS_RANGE(-128, 127);
    int16_t i16;
    int32_t i32 CHAINS_DEFAULT(-5);
    int64_t i64 CHAINS_RANGE(INT64_MIN, INT64_MAX);
    uint8_t u8 CHAINS_ONE_OF(1, 2, 3);
    uint16_t u16;
    uint32_t u32;
    uint64_t u64 CHAINS_RANGE(0, UINT64_MAX);
    long long longest;
    unsigned long size;
    const char *text CHAINS_DEFAULT("a \"b\"") CHAINS_ONE_OF("a \"b\"", "c");
    const char *maybe CHAINS_OPTIONAL;
    chains_bytes bytes CHAINS_LENGTH(0, 1024);
    chains_json json CHAINS_OPTIONAL;
    chains_tensor tensor;
    kinds_volume volume CHAINS_DEFAULT(KINDS_LOUD) CHAINS_NAME("loudness");
    kinds_point point CHAINS_DEFAULT({ .x = -2, .y = 1 });
    struct {
        int inner;
    } unnamed;
    kinds_lines lines CHAINS_LENGTH(0, 3);
    kinds_shapes shapes;
    kinds_tree tree;
    const kinds_point *near CHAINS_OPTIONAL;
    const double *weight CHAINS_OPTIONAL CHAINS_RANGE(0, 1);
} kinds_all;
CHAINS_MAP(const char *, kinds_labels);
CHAINS_STREAM(kinds_point, kinds_stream);

/** Takes and gives every kind of type. */
CHAINLET(kinds, .name = "all-kinds", .entrypoint = true, .concurrency = 4);

kinds *kinds_new(chains_ctx *ctx);
/** Runs.
 *  @param all    everything
 *  @param labels some names
 *  @param count  how many
 *  @param result the same again
 *  @param total  their number
 *  @param stream points on the way */
chains_status kinds_run_remote(kinds *self, chains_ctx *ctx, const kinds_all *all,
                               kinds_labels labels CHAINS_LENGTH(0, 8),
                               long long count CHAINS_DEFAULT(3) CHAINS_RANGE(-9, 9),
                               kinds_all *result, unsigned long long *total, kinds_stream *stream);
void kinds_free(kinds *self);
chains_status kinds_healthy(kinds *self, chains_ctx *ctx);
