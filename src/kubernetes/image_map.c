/* Images as they are given. */
#include "kubernetes/image_map.h"

#include <stdio.h>
#include <string.h>

#include "kubernetes/image_reference.h"
#include "schema/json.h"
#include "schema/type.h"

static const chainsi_type map_type = {
    .kind = CHAINSI_MAP,
    .size = sizeof(chainsi_image_map),
    .item = &chainsi_type_string,
    .entry_size = sizeof(chainsi_image_entry),
    .value_offset = offsetof(chainsi_image_entry, value),
};

/* One that was made; reference is NULL where it wasn't pushed. */
typedef struct made_image {
    const char *name, *digest, *reference;
} made_image;

typedef struct made_images {
    made_image *items;
    size_t count;
} made_images;

static const chainsi_field image_fields[] = {
    { CHAINSI_FIELD(made_image, name, &chainsi_type_string) },
    { CHAINSI_FIELD(made_image, digest, &chainsi_type_string) },
    { CHAINSI_FIELD(made_image, reference, &chainsi_type_string), .optional = true },
};
static const chainsi_type image_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(made_image),
    .fields = image_fields,
    .field_count = sizeof image_fields / sizeof *image_fields,
};
static const chainsi_type images_type = {
    .kind = CHAINSI_LIST,
    .size = sizeof(made_images),
    .item = &image_type,
};

/* "host/path/name:tag" as "host/path/name@digest": a tag may become another image's. */
static const char *pin(chainsi_arena *arena, const char *reference, const char *digest)
{
    const char *slash = strrchr(reference, '/');
    const char *tag = strpbrk(slash ? slash : reference, ":@");
    const int size = (int)(tag ? (size_t)(tag - reference) : strlen(reference));
    return chainsi_arena_printf(arena, "%.*s@%s", size, reference, digest);
}

static bool read_list(const char *text, size_t size, chainsi_arena *arena, chainsi_image_map *map,
                      chainsi_codec_error *why)
{
    made_images made;
    if (chainsi_json_decode(&images_type, text, size, arena, &made, why) != CHAINS_OK)
        return false;
    map->items = chainsi_arena_array(arena, made.count, sizeof *map->items);
    map->count = made.count;
    for (size_t i = 0; i < made.count; i++) {
        const made_image *image = &made.items[i];
        map->items[i].key = image->name;
        map->items[i].value =
            image->reference ? pin(arena, image->reference, image->digest) : image->digest;
    }
    return true;
}

/* What begins as a digest and is none would be taken as the name of an image. */
static bool check_digests(const chainsi_image_map *map, chainsi_codec_error *why)
{
    for (size_t i = 0; i < map->count; i++) {
        const char *value = map->items[i].value;
        if (strncmp(value, "sha256:", 7) != 0 || chainsi_is_image_digest(value))
            continue;
        *why = (chainsi_codec_error){ 0 };
        snprintf(why->path, sizeof why->path, "%s", map->items[i].key);
        snprintf(why->message, sizeof why->message,
                 "'%.100s' is no digest: sha256: and 64 digits from 0 to f", value);
        return false;
    }
    return true;
}

static bool read_map(const char *text, size_t size, chainsi_arena *arena, chainsi_image_map *map,
                     chainsi_codec_error *why)
{
    chainsi_image_map found;
    if (chainsi_json_decode(&map_type, text, size, arena, &found, why) != CHAINS_OK ||
        !check_digests(&found, why))
        return false;
    *map = found;
    return true;
}

bool chainsi_image_map_read(const char *text, size_t size, chainsi_arena *arena,
                            chainsi_image_map *map, chainsi_codec_error *why)
{
    size_t start = 0;
    while (start < size && strchr(" \t\r\n", text[start]))
        start++;
    if (start < size && text[start] == '[')
        return read_list(text, size, arena, map, why);
    return read_map(text, size, arena, map, why);
}
