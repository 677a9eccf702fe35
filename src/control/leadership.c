/* The rules, and the object's text. */
#include "control/leadership.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "control/time_text.h"
#include "schema/fields.h"
#include "schema/json.h"

const chainsi_leadership_times chainsi_leadership_usual = { 15000, 10000, 2000 };

/* What others write is taken for true within these. */
enum { LEAST_DURATION_S = 1, MOST_DURATION_S = 3600 };

int64_t chainsi_leadership_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* --------------------------------------------------------------------------------------------
 * the object */

typedef struct lease_metadata {
    const char *version;
} lease_metadata;
static const chainsi_field metadata_fields[] = {
    CHAINSI_FIELD_NAMED(lease_metadata, version, "resourceVersion"),
};
static const chainsi_type metadata_type = CHAINSI_STRUCT_OF(lease_metadata, metadata_fields);

static const int64_t nothing = 0;
typedef struct lease_spec {
    const char *holder, *renewed;
    int64_t duration_s, transitions;
} lease_spec;
static const chainsi_field spec_fields[] = {
    CHAINSI_FIELD_NAMED(lease_spec, holder, "holderIdentity"),
    CHAINSI_FIELD_NAMED(lease_spec, renewed, "renewTime"),
    { .name = "leaseDurationSeconds",
      .name_size = 20,
      .offset = offsetof(lease_spec, duration_s),
      .type = &chainsi_type_int64,
      .default_value = &nothing },
    { .name = "leaseTransitions",
      .name_size = 16,
      .offset = offsetof(lease_spec, transitions),
      .type = &chainsi_type_int64,
      .default_value = &nothing },
};
static const chainsi_type spec_struct_type = CHAINSI_STRUCT_OF(lease_spec, spec_fields);
static const chainsi_type spec_type = CHAINSI_POINTER_TO(&spec_struct_type);

typedef struct lease {
    lease_metadata metadata;
    const lease_spec *spec;
} lease;
static const chainsi_field lease_fields[] = {
    CHAINSI_FIELD_OF(lease, metadata, &metadata_type),
    CHAINSI_FIELD_OPTIONAL(lease, spec, &spec_type),
};
static const chainsi_type lease_type = CHAINSI_STRUCT_OF(lease, lease_fields);

static const char *text_of(const char *text)
{
    return text ? text : "";
}

bool chainsi_lease_read(const char *json, size_t size, chainsi_lease_record *record)
{
    chainsi_arena arena = { 0 };
    lease read;
    bool good = chainsi_json_decode(&lease_type, json, size, &arena, &read, NULL) == CHAINS_OK &&
                read.metadata.version && *read.metadata.version;
    if (good) {
        *record = (chainsi_lease_record){ 0 };
        snprintf(record->version, sizeof record->version, "%s", read.metadata.version);
        if (read.spec) {
            snprintf(record->holder, sizeof record->holder, "%s", text_of(read.spec->holder));
            snprintf(record->renewed, sizeof record->renewed, "%s", text_of(read.spec->renewed));
            record->duration_s = read.spec->duration_s;
            record->transitions = read.spec->transitions;
        }
    }
    chainsi_arena_done(&arena);
    return good;
}

/* --------------------------------------------------------------------------------------------
 * the rules */

static bool is_same(const chainsi_lease_record *a, const chainsi_lease_record *b)
{
    return !strcmp(a->holder, b->holder) && !strcmp(a->renewed, b->renewed) &&
           a->transitions == b->transitions && a->duration_s == b->duration_s;
}

static bool is_own(const chainsi_leadership *it)
{
    return !strcmp(it->seen.holder, it->identity);
}

void chainsi_leadership_see(chainsi_leadership *it, const chainsi_lease_record *record,
                            int64_t now_ns)
{
    if (!record) {
        if (it->seen.version[0]) /* until just now it may have been renewed, unseen */
            it->seen_ns = now_ns;
        it->seen.version[0] = '\0';
        return;
    }
    if (!it->seen_ns || !is_same(record, &it->seen))
        it->seen_ns = now_ns;
    it->seen = *record;
    it->leads = it->leads && is_own(it);
}

/* What its holder has promised to renew it within; of one that says nothing, or nonsense, what we would. */
static int64_t duration_ns(const chainsi_leadership *it)
{
    int64_t duration_s = it->seen.duration_s;
    if (duration_s < LEAST_DURATION_S || duration_s > MOST_DURATION_S)
        return it->times.lease_ms * CHAINSI_NS_PER_MS;
    return duration_s * 1000 * CHAINSI_NS_PER_MS;
}

bool chainsi_leadership_may_take(const chainsi_leadership *it, int64_t now_ns)
{
    return !it->seen_ns || !it->seen.holder[0] || is_own(it) ||
           now_ns - it->seen_ns >= duration_ns(it);
}

void chainsi_leadership_won(chainsi_leadership *it, const chainsi_lease_record *record,
                            int64_t sent_ns, int64_t now_ns)
{
    chainsi_leadership_see(it, record, now_ns);
    it->leads = is_own(it);
    it->renewed_ns = sent_ns;
}

int64_t chainsi_leadership_end_ns(const chainsi_leadership *it)
{
    return it->leads ? it->renewed_ns + it->times.deadline_ms * CHAINSI_NS_PER_MS : 0;
}

/* --------------------------------------------------------------------------------------------
 * what is asked for */

/* Kubernetes wants microseconds. */
static void write_time(chainsi_buffer *body, const char *name, int64_t unix_ms)
{
    char text[CHAINSI_TIME_TEXT];
    chainsi_time_text_of(text, unix_ms);
    chainsi_buffer_printf(body, ",\"%s\":\"%.*s000Z\"", name, CHAINSI_TIME_TEXT - 2, text);
}

/* taken: it is taken now, after so many times that it was before. */
static void write_spec(const chainsi_leadership *it, bool taken, int64_t transitions,
                       int64_t unix_ms, chainsi_buffer *body)
{
    chainsi_buffer_add_text(body, ",\"spec\":{\"holderIdentity\":");
    chainsi_json_write_text(body, it->identity);
    chainsi_buffer_printf(body, ",\"leaseDurationSeconds\":%lld",
                          (long long)((it->times.lease_ms + 999) / 1000));
    write_time(body, "renewTime", unix_ms);
    if (taken) {
        write_time(body, "acquireTime", unix_ms);
        chainsi_buffer_printf(body, ",\"leaseTransitions\":%lld", (long long)transitions);
    }
    chainsi_buffer_add_byte(body, '}');
}

static void write_version(const chainsi_leadership *it, chainsi_buffer *body)
{
    chainsi_buffer_add_text(body, "{\"metadata\":{\"resourceVersion\":");
    chainsi_json_write_text(body, it->seen.version);
    chainsi_buffer_add_byte(body, '}');
}

void chainsi_leadership_write_patch(const chainsi_leadership *it, int64_t unix_ms,
                                    chainsi_buffer *body)
{
    write_version(it, body);
    write_spec(it, !is_own(it), it->seen.transitions + 1, unix_ms, body);
    chainsi_buffer_add_byte(body, '}');
}

void chainsi_leadership_write_new(const chainsi_leadership *it, const char *name, int64_t unix_ms,
                                  chainsi_buffer *body)
{
    chainsi_buffer_add_text(body, "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\","
                                  "\"metadata\":{\"name\":");
    chainsi_json_write_text(body, name);
    chainsi_buffer_add_byte(body, '}');
    write_spec(it, true, 0, unix_ms, body);
    chainsi_buffer_add_byte(body, '}');
}

void chainsi_leadership_write_release(const chainsi_leadership *it, int64_t unix_ms,
                                      chainsi_buffer *body)
{
    write_version(it, body);
    chainsi_buffer_add_text(body, ",\"spec\":{\"holderIdentity\":\"\",\"leaseDurationSeconds\":1");
    write_time(body, "renewTime", unix_ms);
    chainsi_buffer_add_text(body, "}}");
}
