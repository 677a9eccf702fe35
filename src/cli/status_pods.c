#include "cli/status_pods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/table.h"
#include "schema/fields.h"
#include "schema/json.h"

static const chainsi_field pod_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_shown_pod, pod),
    CHAINSI_FIELD_NULLABLE(chainsi_shown_pod, node),
    CHAINSI_FIELD_TEXT(chainsi_shown_pod, version),
    CHAINSI_FIELD_TEXT(chainsi_shown_pod, state),
    CHAINSI_FIELD_INTEGER(chainsi_shown_pod, restarts),
    CHAINSI_FIELD_NULLABLE(chainsi_shown_pod, since),
    CHAINSI_FIELD_NULLABLE(chainsi_shown_pod, why),
};
static const chainsi_type pod_type = CHAINSI_STRUCT_OF(chainsi_shown_pod, pod_fields);
static const chainsi_type pods_type = CHAINSI_LIST_OF(chainsi_shown_pods, &pod_type);

static const char *or_null(const char *text)
{
    return text && *text ? text : NULL;
}

void chainsi_shown_pods_add(chainsi_shown_pods *pods, chainsi_arena *arena, chainsi_shown_pod pod)
{
    const size_t count = pods->count;
    if (!(count & (count - 1))) { /* there is room up to the next power of two */
        chainsi_shown_pod *items = chainsi_arena_array(arena, count ? 2 * count : 1, sizeof *items);
        if (count)
            memcpy(items, pods->items, count * sizeof *items);
        pods->items = items;
    }
    pods->items[pods->count++] = pod;
}

/* Of one version. */
static bool add_version(chainsi_shown_pods *pods, chainsi_arena *arena, const char *version,
                        const chainsi_api_chainlets *chainlets, const char *name)
{
    const chainsi_api_chainlet *found = NULL;
    for (size_t i = 0; i < chainlets->count; i++)
        if (!strcmp(chainlets->items[i].name, name))
            found = &chainlets->items[i];
    for (size_t i = 0; found && i < found->replicas.count; i++) {
        const chainsi_api_replica *replica = &found->replicas.items[i];
        if (or_null(replica->pod))
            chainsi_shown_pods_add(pods, arena,
                                   (chainsi_shown_pod){
                                       .pod = replica->pod,
                                       .node = or_null(replica->node),
                                       .version = version,
                                       .state = replica->state,
                                       .restarts = replica->restarts,
                                       .since = replica->since,
                                       .why = or_null(replica->last_end),
                                   });
    }
    return found != NULL;
}

bool chainsi_shown_pods_add_chain(chainsi_shown_pods *pods, chainsi_arena *arena,
                                  const chainsi_api_chain *chain, const char *chainlet)
{
    const chainsi_api_deployment *latest = &chain->deployment;
    bool found = false;
    if (chain->version_id)
        found = add_version(pods, arena, chain->version_id, &chain->chainlets, chainlet);
    if (!chain->version_id || strcmp(chain->version_id, latest->version_id) != 0)
        found = add_version(pods, arena, latest->version_id, &latest->chainlets, chainlet) || found;
    return found;
}

static void print_json(const chainsi_shown_pods *pods)
{
    chainsi_buffer out = { 0 };
    if (chainsi_json_encode(&pods_type, pods, &out, NULL) != CHAINS_OK)
        abort();
    chainsi_text_write(stdout, (const char *)out.data, out.size, CHAINSI_TEXT_JSON);
    putchar('\n');
    chainsi_buffer_done(&out);
}

static void print_table(const chainsi_shown_pods *pods)
{
    static const chainsi_table_column columns[] = {
        { .title = "POD" },
        { .title = "NODE" },
        { .title = "VERSION", .rank = 2 },
        { .title = "STATE" },
        { .title = "RESTARTS", .right = true },
        { .title = "SINCE", .rank = 1 },
        { .title = "" },
    };
    const chainsi_terminal terminal = chainsi_terminal_of(STDOUT_FILENO);
    chainsi_arena arena = { 0 };
    chainsi_buffer head = { 0 }, body = { 0 };
    chainsi_table_row *rows = chainsi_arena_array(&arena, pods->count, sizeof *rows);
    memset(rows, 0, pods->count * sizeof *rows);
    for (size_t i = 0; i < pods->count; i++) {
        const chainsi_shown_pod *each = &pods->items[i];
        const char *words[] = {
            each->pod,
            each->node ? each->node : "-",
            each->version,
            each->state,
            chainsi_arena_printf(&arena, "%lld", (long long)each->restarts),
            each->since ? chainsi_arena_printf(&arena, "%.19sZ", each->since) : "-",
            each->why,
        };
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            rows[i].cells[k].text = words[k];
    }
    const chainsi_table table = { columns, sizeof columns / sizeof *columns, rows, pods->count };
    chainsi_table_write(&table, terminal.columns, terminal.unicode, terminal.color, &head, &body);
    printf("%.*s%.*s", (int)head.size, (char *)head.data, (int)body.size, (char *)body.data);
    chainsi_buffer_done(&head);
    chainsi_buffer_done(&body);
    chainsi_arena_done(&arena);
}

void chainsi_shown_pods_print(const chainsi_shown_pods *pods, const char *chainlet, bool json)
{
    if (json)
        print_json(pods);
    else if (pods->count)
        print_table(pods);
    else
        printf("%s has no pod now\n", chainlet);
}
