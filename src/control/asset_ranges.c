/* Ranges, and their tables for the codec. */
#include "control/asset_ranges.h"

#include "schema/json.h"
#include "schema/type.h"

static const chainsi_field range_fields[] = {
    { CHAINSI_FIELD(chainsi_asset_range, start, &chainsi_type_int64) },
    { CHAINSI_FIELD(chainsi_asset_range, end, &chainsi_type_int64) },
    { CHAINSI_FIELD(chainsi_asset_range, done, &chainsi_type_int64) },
};
static const chainsi_type range_type = { .kind = CHAINSI_STRUCT,
                                         .size = sizeof(chainsi_asset_range),
                                         .fields = range_fields,
                                         .field_count =
                                             sizeof range_fields / sizeof *range_fields };
static const chainsi_type ranges_type = { .kind = CHAINSI_LIST,
                                          .size = sizeof(chainsi_asset_range_list),
                                          .item = &range_type };
static const chainsi_field state_fields[] = {
    { CHAINSI_FIELD(chainsi_asset_state, url, &chainsi_type_string) },
    { CHAINSI_FIELD(chainsi_asset_state, validator, &chainsi_type_string) },
    { CHAINSI_FIELD(chainsi_asset_state, size, &chainsi_type_int64) },
    { CHAINSI_FIELD(chainsi_asset_state, ranges, &ranges_type) },
};
static const chainsi_type state_type = { .kind = CHAINSI_STRUCT,
                                         .size = sizeof(chainsi_asset_state),
                                         .fields = state_fields,
                                         .field_count =
                                             sizeof state_fields / sizeof *state_fields };

size_t chainsi_asset_ranges_cut(chainsi_asset_range ranges[CHAINSI_ASSET_MOST_RANGES], int64_t size,
                                int64_t least)
{
    int64_t fitting = least > 0 ? size / least : 1;
    size_t count = fitting < 1                           ? 1
                   : fitting > CHAINSI_ASSET_MOST_RANGES ? (size_t)CHAINSI_ASSET_MOST_RANGES
                                                         : (size_t)fitting;
    int64_t each = size / (int64_t)count;
    for (size_t i = 0; i < count; i++)
        ranges[i] = (chainsi_asset_range){
            .start = (int64_t)i * each,
            .end = i + 1 == count ? size : (int64_t)(i + 1) * each,
        };
    return count;
}

bool chainsi_asset_state_write(const chainsi_asset_state *state, chainsi_buffer *out)
{
    return chainsi_json_encode(&state_type, state, out, NULL) == CHAINS_OK;
}

bool chainsi_asset_state_read(const char *text, size_t size, chainsi_arena *arena,
                              chainsi_asset_state *state)
{
    chainsi_asset_state read;
    if (chainsi_json_decode(&state_type, text, size, arena, &read, NULL) != CHAINS_OK ||
        !*read.validator || read.ranges.count < 1 || read.ranges.count > CHAINSI_ASSET_MOST_RANGES)
        return false;
    int64_t at = 0;
    for (size_t i = 0; i < read.ranges.count; i++) {
        const chainsi_asset_range *range = &read.ranges.items[i];
        if (range->start != at || range->end < at || range->done < 0 ||
            range->done > range->end - range->start)
            return false;
        at = range->end;
    }
    if (at != read.size)
        return false;
    *state = read;
    return true;
}
