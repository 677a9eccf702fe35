/* Swaps. As with all of a deployment, what happens only asks for a review, which goes a step on. A swap that
 * is given up while the store or a thread has something of it lives until that is over. */
#include "control/swap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/chain.h"
#include "control/handle.h"
#include "control/home.h"
#include "schema/json.h"

enum {
    LOOK_EVERY_MS = 2,
    LEAVING_LIMIT_MS =
        2000, /* then an old process takes calls for all that is known: it stands still */
};

chainsi_swap *chainsi_swap_new(void)
{
    return chainsi_make(sizeof(chainsi_swap));
}

void chainsi_swap_free(chainsi_swap *swap)
{
    if (!swap)
        return;
    chainsi_handle_close(swap->look);
    chainsi_arena_done(&swap->arena);
    free(swap);
}

size_t chainsi_swap_count(const chainsi_swap *swap)
{
    size_t count = 0;
    for (size_t i = 0; i < swap->asked.services.count; i++)
        count += swap->parts[i].differs;
    return count;
}

/* Its end. */

/* Takes it from its deployment, and tells its end. */
static void end(chainsi_swap *swap, chains_status status, const char *why)
{
    chainsi_deployment *deployment = swap->deployment;
    deployment->swap = NULL;
    swap->deployment = NULL;
    if (swap->on_end)
        swap->on_end(swap->user, status, why, swap);
    if (!swap->working && !swap->writing)
        chainsi_swap_free(swap);
}

/* The old ones go on. */
static void give_up(chainsi_swap *swap, chains_status status, const char *why)
{
    chainsi_deployment *deployment = swap->deployment;
    bool settled = !swap->working && !swap->writing;
    for (size_t i = 0; i < deployment->options.deploy->services.count; i++) {
        chainsi_chainlet *chainlet = &deployment->chainlets[i];
        if (!chainlet->coming)
            continue;
        chainsi_chainlet_retire(chainlet, chainlet->coming);
        chainlet->coming = NULL;
    }
    chainsi_say("%s: its programs are not swapped: %s%s%s", deployment->title,
                swap->failed ? swap->failed : "", swap->failed ? ": " : "", why);
    chainsi_deployment_review_later(deployment);
    end(swap, status, why);
    if (settled)
        chainsi_swap_clean(deployment);
}

/* It is one Chainlet's fault. */
static void fail(chainsi_swap *swap, const chainsi_chainlet *chainlet, const char *what,
                 const char *why)
{
    swap->failed = chainsi_arena_strdup(&swap->arena, chainlet->service->name);
    snprintf(swap->why, sizeof swap->why, "%s%s%s", what, *why ? ": " : "", why);
    give_up(swap, CHAINS_UNAVAILABLE, swap->why);
}

void chainsi_swap_abort(chainsi_deployment *deployment)
{
    chainsi_swap *swap = deployment->swap;
    if (!swap)
        return;
    if (swap->state == CHAINSI_SWAP_LEAVING)
        end(swap, CHAINS_OK, "");
    else
        give_up(swap, CHAINS_ABORTED, "it has been given up");
}

/* COPYING. */

static bool read_piece(int fd, unsigned char *piece, size_t size)
{
    size_t used = 0;
    while (used < size) {
        ssize_t got = read(fd, piece + used, size - used);
        if (got <= 0)
            return false;
        used += (size_t)got;
    }
    return true;
}

/* Whether two files have the same contents; those that can't be read have not. */
static bool is_same(const char *one, const char *other)
{
    enum { PIECE = 64 * 1024 };
    int fds[] = { open(one, O_RDONLY | O_CLOEXEC), open(other, O_RDONLY | O_CLOEXEC) };
    struct stat about[2];
    unsigned char *pieces = chainsi_make(2 * (size_t)PIECE);
    bool same = fds[0] >= 0 && fds[1] >= 0 && !fstat(fds[0], &about[0]) &&
                !fstat(fds[1], &about[1]) && about[0].st_size == about[1].st_size;
    for (off_t at = 0; same && at < about[0].st_size; at += PIECE) {
        off_t left = about[0].st_size - at;
        size_t size = left < PIECE ? (size_t)left : PIECE;
        same = read_piece(fds[0], pieces, size) && read_piece(fds[1], pieces + PIECE, size) &&
               !memcmp(pieces, pieces + PIECE, size);
    }
    for (size_t i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(pieces);
    return same;
}

/* On a thread of the pool. */
static void copy(uv_work_t *work)
{
    chainsi_swap_part *part = (chainsi_swap_part *)work;
    part->differs = !is_same(part->from, part->runs);
    if (part->differs)
        part->error = chainsi_deployment_copy(part->from, part->to);
}

static void on_copied(uv_work_t *work, int status)
{
    chainsi_swap_part *part = (chainsi_swap_part *)work;
    chainsi_swap *swap = part->swap;
    chainsi_deployment *deployment = part->chainlet->deployment;
    part->error = status ? status : part->error;
    deployment->copies--;
    chainsi_deployment_review_later(deployment);
    if (!--swap->working && !swap->deployment)
        chainsi_swap_free(swap);
}

/* The number of a program, "C_NAME.3"; 0: "C_NAME". */
static unsigned long number_of(const char *program)
{
    const char *dot = strrchr(program, '.');
    return dot ? strtoul(dot + 1, NULL, 10) : 0;
}

/* A number that none of the Chainlet's processes has, nor a copy that is still being made for a swap that was
 * given up. */
static unsigned long take_number(chainsi_chainlet *chainlet)
{
    const char *program = chainlet->service->program;
    unsigned long last = program ? number_of(program) : 0;
    last = chainlet->last_number > last ? chainlet->last_number : last;
    for (const chainsi_fleet *fleet = chainlet->leaving; fleet; fleet = fleet->next) {
        unsigned long used = number_of(strrchr(fleet->options.name, '/'));
        last = used > last ? used : last;
    }
    return chainlet->last_number = last + 1;
}

static void begin_copying(chainsi_swap *swap)
{
    chainsi_deployment *deployment = swap->deployment;
    chainsi_arena *arena = &swap->arena;
    for (size_t i = 0; i < swap->asked.services.count; i++) {
        chainsi_swap_part *part = &swap->parts[i];
        const chainsi_api_service *asked = &swap->asked.services.items[i];
        part->swap = swap;
        part->chainlet = chainsi_deployment_find(deployment, asked->name);
        part->from = asked->binary;
        part->runs = part->chainlet->service->binary;
        part->program =
            chainsi_arena_printf(arena, "%s.%lu", asked->c_name, take_number(part->chainlet));
        part->to = chainsi_arena_printf(arena, "%s/%s", deployment->directory, part->program);
        swap->working++;
        deployment->copies++;
        uv_queue_work(deployment->options.supervisor->loop, &part->work, copy, on_copied);
    }
}

/* STARTING. */

static void begin_starting(chainsi_swap *swap)
{
    char why[256];
    size_t count = swap->asked.services.count;
    for (size_t i = 0; i < count; i++)
        if (swap->parts[i].error) {
            fail(swap, swap->parts[i].chainlet, "cannot copy its program",
                 uv_strerror(swap->parts[i].error));
            return;
        }
    if (!chainsi_swap_count(swap)) {
        end(swap, CHAINS_OK, "");
        return;
    }
    swap->state = CHAINSI_SWAP_STARTING;
    for (size_t i = 0; i < count; i++) {
        const chainsi_swap_part *part = &swap->parts[i];
        chainsi_chainlet *chainlet = part->chainlet;
        if (!part->differs)
            continue;
        chainlet->coming =
            chainsi_chainlet_make_fleet(chainlet, part->program, &chainsi_backoff_deploying);
        /* One at least, so that it is seen to start. */
        int64_t wanted = chainlet->fleet->wanted > 0 ? chainlet->fleet->wanted : 1;
        if (chainsi_fleet_resize(chainlet->coming, wanted, why, sizeof why))
            continue;
        fail(swap, chainlet, "cannot listen", why);
        return;
    }
}

static void begin_keeping(chainsi_swap *swap);

static void look_at_starts(chainsi_swap *swap)
{
    bool ready = true;
    for (size_t i = 0; i < swap->asked.services.count; i++) {
        const chainsi_chainlet *chainlet = swap->parts[i].chainlet;
        const chainsi_fleet *coming = chainlet->coming;
        if (!coming)
            continue;
        const chainsi_replica *failed = chainsi_fleet_find(coming, CHAINSI_REPLICA_FAILED);
        if (failed) {
            fail(swap, chainlet, "it does not start", failed->last_end);
            return;
        }
        ready = ready && chainsi_fleet_count(coming).ready >= coming->wanted;
    }
    if (ready)
        begin_keeping(swap);
}

/* KEEPING and LEAVING. */

static bool have_left(const chainsi_swap *swap)
{
    for (size_t i = 0; i < swap->asked.services.count; i++)
        for (const chainsi_fleet *fleet = swap->parts[i].chainlet->leaving; fleet;
             fleet = fleet->next)
            if (!chainsi_fleet_has_left(fleet))
                return false;
    return true;
}

static void on_look(uv_timer_t *timer)
{
    chainsi_swap *swap = timer->data;
    if (!swap)
        return;
    int64_t limit_ns = swap->leaving_ns + LEAVING_LIMIT_MS * (int64_t)CHAINSI_NS_PER_MS;
    if (have_left(swap) || chainsi_now_ns() > limit_ns)
        end(swap, CHAINS_OK, "");
}

static void begin_leaving(chainsi_swap *swap)
{
    chainsi_deployment *deployment = swap->deployment;
    for (size_t i = 0; i < swap->asked.services.count; i++) {
        const chainsi_swap_part *part = &swap->parts[i];
        chainsi_chainlet *chainlet = part->chainlet;
        if (!part->differs)
            continue;
        size_t index = (size_t)(chainlet - deployment->chainlets);
        chainsi_deployment_use(deployment, &deployment->options.deploy->services.items[index],
                               part->program);
        chainsi_chainlet_exchange(chainlet);
        chainsi_say("%s: %s is swapped: it runs %s", deployment->title, chainlet->service->name,
                    part->program);
    }
    chainsi_deployment_hold(deployment);
    chainsi_swap_clean(deployment);
    chainsi_deployment_review_later(deployment);
    swap->state = CHAINSI_SWAP_LEAVING;
    swap->leaving_ns = chainsi_now_ns();
    swap->look = chainsi_timer_new(deployment->options.supervisor->loop, swap);
    uv_timer_start(swap->look, on_look, 0, LOOK_EVERY_MS);
}

static void on_kept(void *user, chains_status status, const char *why, const chainsi_step *step)
{
    (void)step;
    chainsi_swap *swap = user;
    swap->writing = false;
    if (!swap->deployment)
        chainsi_swap_free(swap);
    else if (status == CHAINS_OK)
        begin_leaving(swap);
    else
        give_up(swap, status, why);
}

static const char *list_names(chainsi_swap *swap)
{
    const char *names = "";
    for (size_t i = 0; i < swap->asked.services.count; i++)
        if (swap->parts[i].differs)
            names = chainsi_arena_printf(&swap->arena, "%s%s%s", names, *names ? ", " : "",
                                         swap->parts[i].chainlet->service->name);
    return names;
}

static void begin_keeping(chainsi_swap *swap)
{
    swap->state = CHAINSI_SWAP_KEEPING;
    for (size_t i = 0; i < swap->asked.services.count; i++) {
        const chainsi_swap_part *part = &swap->parts[i];
        const char *before = part->chainlet->service->program;
        swap->asked.services.items[i].program =
            part->differs ? part->program : chainsi_arena_strdup(&swap->arena, before);
    }
    chainsi_intent *intent = chainsi_intent_new(chainsi_step_swap, true);
    intent->step->version = chainsi_arena_strdup(&swap->arena, swap->deployment->options.id);
    intent->step->deploy = &swap->asked;
    intent->step->why = list_names(swap);
    intent->on_end = on_kept;
    intent->user = swap;
    swap->writing = true;
    chainsi_environment_ask(swap->environment, intent);
}

void chainsi_swap_review(chainsi_deployment *deployment)
{
    chainsi_swap *swap = deployment->swap;
    if (!swap)
        return;
    if (swap->state == CHAINSI_SWAP_COPYING && !swap->working)
        begin_starting(swap);
    else if (swap->state == CHAINSI_SWAP_STARTING)
        look_at_starts(swap);
}

/* Whether it is one. */

/* What there is to know of a service but its program. */
static void write_rest(const chainsi_api_service *service, chainsi_buffer *out)
{
    chainsi_codec_error error;
    chainsi_api_service rest = *service;
    rest.binary = "";
    rest.program = NULL;
    if (chainsi_json_encode(&chainsi_api_service_type, &rest, out, &error) != CHAINS_OK)
        out->size = 0; /* equal to nothing */
}

static bool differs(const chainsi_api_service *one, const chainsi_api_service *other)
{
    chainsi_buffer texts[2] = { { 0 }, { 0 } };
    write_rest(one, &texts[0]);
    write_rest(other, &texts[1]);
    bool same = texts[0].size && texts[0].size == texts[1].size &&
                !memcmp(texts[0].data, texts[1].data, texts[0].size);
    chainsi_buffer_done(&texts[0]);
    chainsi_buffer_done(&texts[1]);
    return !same;
}

static bool is_same_text(const char *one, const char *other)
{
    return one == other || (one && other && !strcmp(one, other));
}

/* What speaks against it, in a sentence; false: nothing does. */
static bool find_difference(const chainsi_swap *swap, const chainsi_deployment *deployment,
                            char *why, size_t why_size)
{
    const chainsi_api_deploy *asked = &swap->asked, *runs = deployment->options.deploy;
    if (strcmp(asked->entrypoint, runs->entrypoint) != 0) {
        snprintf(why, why_size, "another Chainlet is the entrypoint");
        return true;
    }
    if (asked->services.count != runs->services.count) {
        snprintf(why, why_size, "there are %zu services, not %zu", asked->services.count,
                 runs->services.count);
        return true;
    }
    for (size_t i = 0; i < asked->services.count; i++) {
        const chainsi_api_service *service = &asked->services.items[i], *other = NULL;
        for (size_t k = 0; k < runs->services.count && !other; k++)
            if (!strcmp(runs->services.items[k].name, service->name))
                other = &runs->services.items[k];
        if (!other)
            snprintf(why, why_size, "'%s' is new", service->name);
        else if (!is_same_text(service->interface, other->interface))
            snprintf(why, why_size, "'%s' has another interface", service->name);
        else if (differs(service, other))
            snprintf(why, why_size, "'%s' calls other Chainlets, or has other options",
                     service->name);
        else
            continue;
        return true;
    }
    return false;
}

chains_status chainsi_swap_begin(chainsi_swap *swap, chainsi_environment *environment, char *why,
                                 size_t why_size)
{
    chainsi_deployment *deployment = environment->current;
    if (environment->state != CHAINSI_ENVIRONMENT_SETTLED || !deployment ||
        deployment->state != CHAINSI_DEPLOYMENT_RUNNING) {
        snprintf(why, why_size, "'%s' of '%s' is on its way to another version", environment->name,
                 environment->chain->name);
        return CHAINS_FAILED_PRECONDITION;
    }
    if (deployment->swap) {
        snprintf(why, why_size, "programs of '%s' in '%s' are being swapped already",
                 environment->chain->name, environment->name);
        return CHAINS_ABORTED;
    }
    if (!deployment->options.deploy->swappable) {
        snprintf(why, why_size, "version %s was not deployed to be swapped",
                 deployment->options.id);
        return CHAINS_FAILED_PRECONDITION;
    }
    if (find_difference(swap, deployment, why, why_size))
        return CHAINS_FAILED_PRECONDITION;
    swap->asked.swappable = true;
    swap->environment = environment;
    swap->deployment = deployment;
    swap->state = CHAINSI_SWAP_COPYING;
    swap->parts =
        chainsi_arena_array(&swap->arena, swap->asked.services.count, sizeof *swap->parts);
    deployment->swap = swap;
    begin_copying(swap);
    return CHAINS_OK;
}

/* Programs that are left. */

/* Whether it is "C_NAME.3", or a part of that, and nobody's. */
static bool is_left(const chainsi_deployment *deployment, const char *name)
{
    size_t size = strcspn(name, ".");
    const char *number = name + size + (name[size] == '.');
    const char *rest = number + strspn(number, "0123456789");
    if (rest == number || (*rest && strcmp(rest, ".part") != 0))
        return false;
    for (size_t i = 0; i < deployment->options.deploy->services.count; i++) {
        const chainsi_api_service *service = &deployment->options.deploy->services.items[i];
        if (strlen(service->c_name) == size && !strncmp(service->c_name, name, size))
            return !service->program || strcmp(service->program, name) != 0;
    }
    return false;
}

void chainsi_swap_clean(const chainsi_deployment *deployment)
{
    DIR *entries = opendir(deployment->directory);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        if (!is_left(deployment, entry->d_name))
            continue;
        char *path = chainsi_path("%s/%s", deployment->directory, entry->d_name);
        if (unlink(path) != 0)
            chainsi_say("cannot remove %s: %s", path, strerror(errno));
        free(path);
    }
    if (entries)
        closedir(entries);
}
