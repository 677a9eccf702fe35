/* Notes are a list of (sizes, type, owner, bytes), each padded to the segment's alignment. */
#include "image/late.h"

#include <string.h>

#include "base/late_library.h"
#include "schema/fields.h"
#include "schema/json.h"

static const chainsi_type names_type = CHAINSI_LIST_OF(chainsi_late_names, &chainsi_type_string);
static const chainsi_field late_fields[] = {
    CHAINSI_FIELD_NULLABLE(chainsi_late, feature),
    CHAINSI_FIELD_NULLABLE(chainsi_late, priority),
    CHAINSI_FIELD_OF(chainsi_late, soname, &names_type),
};
static const chainsi_type late_type = CHAINSI_STRUCT_OF(chainsi_late, late_fields);
static const chainsi_type lates_type = CHAINSI_LIST_OF(chainsi_lates, &late_type);

static void add_all(const char *text, size_t size, chainsi_arena *arena, chainsi_lates *lates)
{
    chainsi_lates read;
    if (chainsi_json_decode(&lates_type, text, strnlen(text, size), arena, &read, NULL) !=
        CHAINS_OK)
        return;
    if (!lates->items)
        lates->items = chainsi_arena_array(arena, CHAINSI_LATE_MAX, sizeof *lates->items);
    for (size_t i = 0; i < read.count && lates->count < CHAINSI_LATE_MAX; i++)
        lates->items[lates->count++] = read.items[i];
}

void chainsi_lates_read(const uint8_t *data, size_t size, size_t align, chainsi_arena *arena,
                        chainsi_lates *lates)
{
    struct {
        uint32_t owner_size, text_size, type;
    } head;
    for (size_t at = 0; size - at >= sizeof head;) {
        memcpy(&head, data + at, sizeof head);
        at += sizeof head;
        const size_t owner_room = ((size_t)head.owner_size + align - 1) / align * align;
        const size_t text_room = ((size_t)head.text_size + align - 1) / align * align;
        if (owner_room > size - at || head.text_size > size - at - owner_room)
            return;
        if (head.type == CHAINSI_LATE_NOTE_TYPE &&
            head.owner_size == sizeof CHAINSI_LATE_NOTE_OWNER &&
            !memcmp(data + at, CHAINSI_LATE_NOTE_OWNER, sizeof CHAINSI_LATE_NOTE_OWNER))
            add_all((const char *)data + at + owner_room, head.text_size, arena, lates);
        at += owner_room + text_room;
        if (at > size) /* the last one needs no padding */
            return;
    }
}
