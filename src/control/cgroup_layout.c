/* Reading /proc/self/cgroup and /proc/self/mountinfo.
 *
 * A line of the first is "4:memory:/group": the controllers of a v1 tree, and which of its groups the
 * process is in; of the v2 tree it is "0::/group". A line of the second is
 *
 *   35 31 0:32 /root /mounted/at rw,relatime - cgroup cgroup rw,memory
 *
 * with any number of fields before the "-". What is mounted is the tree below /root: the group's
 * folder is /mounted/at and what is left of /group behind /root. */
#include "control/cgroup_layout.h"

#include <stdlib.h>
#include <string.h>

#include "control/home.h"
#include "control/kernel_file.h"

static const char *const controllers[CHAINSI_CGROUP_TREES] = { "cpu", "memory", "cpuacct", NULL };

/* A piece of a text. */
typedef struct slice {
    const char *data;
    size_t size;
} slice;

/* Cuts the next piece off the text, up to the separator or the end. False when nothing is left. */
static bool cut(slice *text, char separator, slice *piece)
{
    if (!text->data)
        return false;
    const char *end = text->size ? memchr(text->data, separator, text->size) : NULL;
    piece->data = text->data;
    piece->size = end ? (size_t)(end - text->data) : text->size;
    if (end) {
        text->data = end + 1;
        text->size -= piece->size + 1;
    } else {
        text->data = NULL;
        text->size = 0;
    }
    return true;
}

static bool is(slice piece, const char *text)
{
    return piece.size == strlen(text) && !memcmp(piece.data, text, piece.size);
}

/* Whether a list with commas has the word. */
static bool has_word(slice list, const char *word)
{
    for (slice item; cut(&list, ',', &item);)
        if (is(item, word))
            return true;
    return false;
}

/* A path as mountinfo has it, where a space is \040. */
static char *unescape(slice text)
{
    char *path = malloc(text.size + 1);
    if (!path)
        abort();
    size_t used = 0;
    for (size_t i = 0; i < text.size; i++) {
        const char *at = text.data + i;
        if (*at == '\\' && i + 3 < text.size && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' &&
            at[2] <= '7' && at[3] >= '0' && at[3] <= '7') {
            path[used++] = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
            i += 3;
        } else {
            path[used++] = *at;
        }
    }
    path[used] = 0;
    return path;
}

/* The process's group in a tree, as /proc/self/cgroup has it; false if it names none. */
static bool find_group(const char *cgroup, chainsi_cgroup_tree tree, slice *group)
{
    slice text = { cgroup, strlen(cgroup) };
    for (slice line; cut(&text, '\n', &line);) {
        slice number, names;
        if (!cut(&line, ':', &number) || !cut(&line, ':', &names) || !line.data)
            continue;
        if (controllers[tree] ? has_word(names, controllers[tree])
                              : is(number, "0") && !names.size) {
            *group = line;
            return true;
        }
    }
    return false;
}

/* What a line of mountinfo says. */
typedef struct mounted {
    slice root, at, options, type, tree_options;
} mounted;

static bool read_mount(slice line, mounted *mount)
{
    slice field;
    for (int i = 0; i < 3; i++)
        if (!cut(&line, ' ', &field))
            return false;
    if (!cut(&line, ' ', &mount->root) || !cut(&line, ' ', &mount->at) ||
        !cut(&line, ' ', &mount->options))
        return false;
    do {
        if (!cut(&line, ' ', &field))
            return false;
    } while (!is(field, "-"));
    return cut(&line, ' ', &mount->type) && cut(&line, ' ', &field) &&
           cut(&line, ' ', &mount->tree_options);
}

/* What is left of the group's path behind the root of what is mounted; NULL if it isn't below. */
static const char *below(const char *group, const char *root)
{
    size_t size = strcmp(root, "/") ? strlen(root) : 0;
    if (strncmp(group, root, size) != 0 || (group[size] && group[size] != '/'))
        return NULL;
    /* A group above the root of this process's cgroup namespace is told as /../x. */
    for (const char *part = group + size; (part = strstr(part, "/..")); part += 3)
        if (!part[3] || part[3] == '/')
            return NULL;
    return strcmp(group + size, "/") ? group + size : "";
}

static void look_at(const mounted *mount, slice group, chainsi_cgroup_place *place)
{
    char *root = unescape(mount->root), *at = unescape(mount->at);
    char *own = strndup(group.data, group.size);
    if (!own)
        abort();
    const char *rest = below(own, root);
    bool read_only = has_word(mount->options, "ro") || has_word(mount->tree_options, "ro");
    chainsi_cgroup_reach reach = !rest       ? CHAINSI_CGROUP_OUTSIDE
                                 : read_only ? CHAINSI_CGROUP_READ_ONLY
                                             : CHAINSI_CGROUP_REACHED;
    if (reach > place->reach) {
        free(place->path);
        place->path = chainsi_path("%s%s", at, rest ? rest : "");
        place->reach = reach;
    }
    free(own);
    free(at);
    free(root);
}

void chainsi_cgroup_layout_parse(const char *cgroup, const char *mountinfo,
                                 chainsi_cgroup_layout *layout)
{
    *layout = (chainsi_cgroup_layout){ 0 };
    for (chainsi_cgroup_tree tree = 0; tree < CHAINSI_CGROUP_TREES; tree++) {
        slice group, text = { mountinfo, strlen(mountinfo) };
        if (!find_group(cgroup, tree, &group))
            continue;
        for (slice line; cut(&text, '\n', &line);) {
            mounted mount;
            if (!read_mount(line, &mount))
                continue;
            if (controllers[tree]
                    ? is(mount.type, "cgroup") && has_word(mount.tree_options, controllers[tree])
                    : is(mount.type, "cgroup2"))
                look_at(&mount, group, &layout->places[tree]);
        }
    }
}

void chainsi_cgroup_layout_read(chainsi_cgroup_layout *layout)
{
    char *cgroup = chainsi_kernel_file_read("/proc/self", "cgroup");
    char *mountinfo = chainsi_kernel_file_read("/proc/self", "mountinfo");
    chainsi_cgroup_layout_parse(cgroup ? cgroup : "", mountinfo ? mountinfo : "", layout);
    free(mountinfo);
    free(cgroup);
}

void chainsi_cgroup_layout_done(chainsi_cgroup_layout *layout)
{
    for (size_t i = 0; i < CHAINSI_CGROUP_TREES; i++)
        free(layout->places[i].path);
    *layout = (chainsi_cgroup_layout){ 0 };
}
