/* Which replicas there are, and a call's way through them: tries, each with the request not to wait; then
 * the list of waiting calls; then an exchange on the connection for which a slot is kept.
 *
 * A replica is referred to by the set while it is in it, by each call that is there and by each want;
 * the last one frees it. So one that has left answers the calls that it runs. */
#include "rpc/replicas.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "rpc/calling.h"

/* A replica that keeps slots and then refuses the call is asked so often by one call. */
enum { MOST_ROUNDS = 64 };

/* Bytes of the header lines that are added here. */
enum { MORE_HEADERS = 128 };

/* ------------------------------------------------------------------------------------------------
 * the set */

void chainsi_replica_unref(chainsi_replica *replica)
{
    if (--replica->references)
        return;
    chainsi_client_free(replica->client);
    free(replica);
}

void chainsi_replicas_tell(chainsi_replicas *set)
{
    uint64_t one = 1;
    (void)!write(set->changed, &one, sizeof one);
}

static char *copy(const char *text)
{
    char *made = strdup(text);
    if (!made)
        abort();
    return made;
}

/* Adds a replica of a source. */
static void add(chainsi_replicas *set, size_t source, const char *host, uint16_t port)
{
    const chainsi_address *from = &set->sources[source].address;
    chainsi_address address = { .kind = from->kind,
                                .path = copy(from->path),
                                .host = copy(host),
                                .authority = copy(from->authority),
                                .port = port };
    char why[128];
    chainsi_replica *replica = calloc(1, sizeof *replica);
    if (!replica)
        abort();
    replica->client = chainsi_client_new_at(&address, why, sizeof why);
    chainsi_client_know_peer(replica->client, set->options.identity,
                             set->options.name ? set->options.name : from->host, NULL);
    replica->source = source;
    replica->references = 1;
    set->all[set->count++] = replica;
}

static bool is_at(const chainsi_replica *replica, size_t source, const char *host, uint16_t port)
{
    const chainsi_address *address = chainsi_client_address(replica->client);
    return replica->source == source && address->port == port && !strcmp(address->host, host);
}

static void leave_out(chainsi_replicas *set, int i)
{
    chainsi_replica *replica = set->all[i];
    set->all[i] = set->all[--set->count];
    replica->gone = true;
    chainsi_replica_unref(replica);
}

/* Makes the replicas of a source those that were found. */
static void apply(chainsi_replicas *set, size_t source, const chainsi_found *found)
{
    bool known[CHAINSI_LOOKUP_MOST] = { false };
    for (int i = set->count - 1; i >= 0; i--) {
        if (set->all[i]->source != source)
            continue;
        int at = 0;
        while (at < found->count &&
               !is_at(set->all[i], source, found->all[at].host, found->all[at].port))
            at++;
        if (at < found->count)
            known[at] = true;
        else
            leave_out(set, i);
    }
    for (int at = 0; at < found->count && set->count < CHAINSI_LOOKUP_MOST; at++)
        if (!known[at])
            add(set, source, found->all[at].host, found->all[at].port);
}

/* ------------------------------------------------------------------------------------------------
 * names */

/* Looks all names up; the lock is not held. What can't be found stays as it was. */
static void look_up(chainsi_replicas *set)
{
    for (size_t i = 0; i < set->source_count; i++) {
        const chainsi_address *address = &set->sources[i].address;
        if (!set->sources[i].is_name)
            continue;
        chainsi_found found = { 0 };
        char why[sizeof set->lookup_failure] = "";
        bool good = set->options.lookup(set->options.user, address->host, address->port, &found,
                                        why, sizeof why);
        pthread_mutex_lock(&set->lock);
        if (good) {
            apply(set, i, &found);
            set->looked_up = true;
        } else {
            memcpy(set->lookup_failure, why, sizeof why);
        }
        pthread_mutex_unlock(&set->lock);
    }
}

static void *run_look_up(void *user)
{
    chainsi_replicas *set = user;
    look_up(set);
    pthread_mutex_lock(&set->lock);
    set->looking = false;
    chainsi_replicas_tell(set);
    pthread_mutex_unlock(&set->lock);
    return NULL;
}

static int64_t next_look_up_ns(const chainsi_replicas *set)
{
    int64_t after_ms = set->options.lookup_ms;
    if ((set->lost || !set->looked_up) && after_ms > CHAINSI_LOOKUP_SOON_MS)
        after_ms = CHAINSI_LOOKUP_SOON_MS;
    return set->looked_up_ns + after_ms * CHAINSI_NS_PER_MS;
}

void chainsi_replicas_refresh(chainsi_replicas *set, int64_t now_ns, int64_t *next_ns)
{
    if (!set->has_names || set->looking)
        return;
    if (now_ns >= next_look_up_ns(set)) {
        if (set->has_looker)
            pthread_join(set->looker, NULL); /* it has ended but for its last instructions */
        set->looked_up_ns = now_ns;
        set->lost = false;
        set->has_looker = !pthread_create(&set->looker, NULL, run_look_up, set);
        set->looking = set->has_looker;
    }
    if (!set->looking && next_look_up_ns(set) < *next_ns)
        *next_ns = next_look_up_ns(set);
}

/* The first look-up is waited for, by all, whatever it finds. The lock is held, but not meanwhile. */
static void look_up_first(chainsi_replicas *set)
{
    pthread_mutex_unlock(&set->lock);
    pthread_mutex_lock(&set->looking_first);
    pthread_mutex_lock(&set->lock);
    if (!set->looked_up_ns) {
        pthread_mutex_unlock(&set->lock);
        look_up(set);
        pthread_mutex_lock(&set->lock);
        set->looked_up_ns = chainsi_now_ns();
    }
    pthread_mutex_unlock(&set->looking_first);
}

void chainsi_replicas_fail(chainsi_replicas *set, chainsi_replica *replica, int64_t now_ns)
{
    chainsi_choice_failed(&replica->known, now_ns);
    /* What it has kept open may end any moment, and a call with it. */
    chainsi_client_close_idle(replica->client);
    set->lost = true;
    set->unreached++;
}

/* ------------------------------------------------------------------------------------------------
 * a call */

/* A call on its way. */
typedef struct passage {
    chainsi_replica *tried[CHAINSI_LOOKUP_MOST]; /* only compared */
    int tried_count;
    bool refused;               /* by a replica that had no slot */
    int tries;                  /* left, to replicas that may be busy */
    chainsi_replica *replica;   /* a reference: where it is now */
    chainsi_channel connection; /* on which a slot is kept for it; none: none is */
} passage;

static bool was_tried(const passage *call, const chainsi_replica *replica)
{
    for (int i = 0; i < call->tried_count; i++)
        if (call->tried[i] == replica)
            return true;
    return false;
}

static void note_tried(passage *call, chainsi_replica *replica)
{
    if (!was_tried(call, replica) && call->tried_count < CHAINSI_LOOKUP_MOST)
        call->tried[call->tried_count++] = replica;
}

/* The replica to try next; NULL: none. */
static chainsi_replica *pick(chainsi_replicas *set, const passage *call)
{
    const chainsi_choice *known[CHAINSI_LOOKUP_MOST];
    bool skipped[CHAINSI_LOOKUP_MOST];
    for (int i = 0; i < set->count; i++) {
        known[i] = &set->all[i]->known;
        skipped[i] = was_tried(call, set->all[i]);
    }
    int at = chainsi_choice_pick(known, skipped, set->count, set->start, !call->refused,
                                 chainsi_now_ns());
    return at == CHAINSI_CHOICE_NONE ? NULL : set->all[at];
}

static bool all_are_down(const chainsi_replicas *set)
{
    for (int i = 0; i < set->count; i++)
        if (!set->all[i]->known.failures)
            return false;
    return true;
}

/* Where the call goes now: *call is told. ANSWERED: it can be sent. */
static chainsi_exchange_end find_place(chainsi_replicas *set, passage *call,
                                       const chainsi_client_request *request, int *error, char *why,
                                       size_t why_size)
{
    int64_t ignored = CHAINSI_NEVER;
    chainsi_replicas_refresh(set, chainsi_now_ns(), &ignored);
    for (;;) {
        call->connection = CHAINSI_NO_CHANNEL;
        call->replica = set->first_waiting || !call->tries ? NULL : pick(set, call);
        if (call->replica) {
            call->replica->references++;
            return CHAINSI_EXCHANGE_ANSWERED;
        }
        if (!set->first_waiting && all_are_down(set)) {
            *error = *error ? *error : EHOSTUNREACH;
            if (!set->count)
                snprintf(why, why_size, "%s",
                         *set->lookup_failure ? set->lookup_failure : "it has no address");
            return CHAINSI_EXCHANGE_NOT_STARTED;
        }
        switch (chainsi_waiting_take(set, request, &call->replica, &call->connection)) {
        case CHAINSI_WAITING_GRANTED:
            return CHAINSI_EXCHANGE_ANSWERED;
        case CHAINSI_WAITING_FULL:
            *error = EAGAIN;
            snprintf(why, why_size, "as many calls wait as may");
            return CHAINSI_EXCHANGE_NOT_STARTED;
        case CHAINSI_WAITING_DEADLINE:
            snprintf(why, why_size, "the deadline passed before a slot was free");
            return CHAINSI_EXCHANGE_DEADLINE;
        case CHAINSI_WAITING_INTERRUPTED:
            snprintf(why, why_size, "interrupted");
            return CHAINSI_EXCHANGE_INTERRUPTED;
        case CHAINSI_WAITING_UNREACHABLE:
            *error = EHOSTUNREACH;
            snprintf(why, why_size, "none of its replicas can be reached");
            return CHAINSI_EXCHANGE_NOT_STARTED;
        case CHAINSI_WAITING_PLAIN:
        case CHAINSI_WAITING_STILL:
            call->tried_count = 0;
            call->tries = CHAINSI_TRIES;
            break;
        }
    }
}

/* The request's header lines, those that go with a slot, and what is left of the deadline: into MORE_HEADERS bytes more
 * than the request's. How many bytes. */
static size_t write_headers(const chainsi_client_request *request, char *headers)
{
    char *at = headers;
    if (request->headers_size)
        memcpy(at, request->headers, request->headers_size);
    at += request->headers_size;
    at = stpcpy(at, CHAINSI_GRANTS_REFUSE);
    if (request->deadline_ns == CHAINSI_NEVER)
        return (size_t)(at - headers);
    /* Rounded up: the caller gives up first, and tells which limit it was. */
    int64_t left_ns = request->deadline_ns - chainsi_now_ns();
    int64_t left_ms = (left_ns + CHAINSI_NS_PER_MS - 1) / CHAINSI_NS_PER_MS;
    at += sprintf(at, "X-Chains-Timeout-Ms: %" PRId64 "\r\n", left_ms > 0 ? left_ms : 1);
    return (size_t)(at - headers);
}

static bool is_refusal(const chainsi_client_response *response)
{
    return response->status == 503 && chainsi_http_find(&response->head, CHAINSI_HTTP_NOT_STARTED);
}

/* Learns from how the exchange ended. True: the call goes on to another replica. */
static bool learn(chainsi_replicas *set, passage *call, const chainsi_client_request *request,
                  chainsi_exchange_end end, const chainsi_client_response *response, int64_t run_ns)
{
    chainsi_replica *replica = call->replica;
    const int64_t now_ns = chainsi_now_ns();
    const bool refused = end == CHAINSI_EXCHANGE_ANSWERED && is_refusal(response);
    const bool answered = end == CHAINSI_EXCHANGE_ANSWERED && !refused;
    chainsi_grants_slots slots;
    chainsi_choice_ended(&replica->known, answered ? run_ns : 0);
    note_tried(call, replica);
    if (end == CHAINSI_EXCHANGE_NOT_STARTED && call->connection.fd < 0)
        chainsi_replicas_fail(set, replica, now_ns);
    else if (end == CHAINSI_EXCHANGE_MAYBE_STARTED)
        chainsi_replicas_fail(set, replica, now_ns);
    else if (end == CHAINSI_EXCHANGE_ANSWERED)
        chainsi_choice_reached(&replica->known);
    const bool said =
        end == CHAINSI_EXCHANGE_ANSWERED && chainsi_grants_read(&response->head, &slots);
    if (said && !response->head.keep_alive)
        chainsi_replicas_fail(set, replica, now_ns); /* it drains */
    else if (said)
        chainsi_choice_said(&replica->known, slots, now_ns);
    else if (refused || end == CHAINSI_EXCHANGE_DEADLINE || end == CHAINSI_EXCHANGE_INTERRUPTED)
        chainsi_choice_busy(&replica->known, now_ns);
    else if (answered && response->status == 200 && !request->sink && !replica->known.said.total)
        replica->known.plain = true;
    if (refused) {
        set->refused++;
        call->refused = true;
        call->tries -= call->tries > 0;
    }
    return refused || end == CHAINSI_EXCHANGE_NOT_STARTED;
}

chainsi_exchange_end chainsi_replicas_exchange(chainsi_replicas *set,
                                               const chainsi_client_request *request,
                                               bool elsewhere, chainsi_arena *arena,
                                               chainsi_client_response *response, char *why,
                                               size_t why_size)
{
    passage call = { .tries = request->body_size > CHAINSI_LARGE_TRY ? 1 : CHAINSI_TRIES };
    chainsi_client_request sent = *request;
    char *headers = chainsi_arena_alloc_raw(arena, request->headers_size + MORE_HEADERS);
    chainsi_exchange_end end = CHAINSI_EXCHANGE_NOT_STARTED;
    bool again = true;
    response->error = 0;
    pthread_mutex_lock(&set->lock);
    if (set->has_names && !set->looked_up_ns)
        look_up_first(set);
    if (elsewhere && set->count > 1 && set->last)
        note_tried(&call, set->last);
    for (int round = 0; again && round < MOST_ROUNDS; round++) {
        end = find_place(set, &call, request, &response->error, why, why_size);
        again = end == CHAINSI_EXCHANGE_ANSWERED;
        if (!again)
            break;
        chainsi_replica *replica = call.replica;
        chainsi_choice_sent(&replica->known, call.connection.fd >= 0);
        set->last = replica;
        pthread_mutex_unlock(&set->lock);
        sent.headers = headers;
        sent.headers_size = write_headers(request, headers);
        sent.connection = call.connection.fd >= 0 ? &call.connection : NULL;
        sent.connect_timeout_ms = CHAINSI_CONNECT_MS;
        const int64_t began_ns = chainsi_now_ns();
        end = chainsi_client_exchange(replica->client, &sent, arena, response, why, why_size);
        pthread_mutex_lock(&set->lock);
        again = learn(set, &call, request, end, response, chainsi_now_ns() - began_ns);
        chainsi_replica_unref(replica);
    }
    pthread_mutex_unlock(&set->lock);
    if (again) { /* refused to the last */
        snprintf(why, why_size, "its replicas refuse calls for which they kept a slot");
        end = CHAINSI_EXCHANGE_NOT_STARTED;
    }
    return end;
}

/* ------------------------------------------------------------------------------------------------
 * lifecycle */

bool chainsi_replicas_are_meant(const char *addresses)
{
    if (strncasecmp(addresses, "http", 4) != 0)
        return false; /* a socket's path may have a comma */
    if (strchr(addresses, ','))
        return true;
    chainsi_address address;
    char why[256];
    if (!chainsi_address_parse(addresses, &address, why, sizeof why))
        return false;
    bool named = address.kind != CHAINSI_ADDRESS_UNIX && !chainsi_lookup_is_number(address.host);
    chainsi_address_done(&address);
    return named;
}

/* Adds the address in text to the sources. */
static bool add_source(chainsi_replicas *set, const char *text, char *why, size_t why_size)
{
    chainsi_address address;
    if (!chainsi_address_parse(text, &address, why, why_size))
        return false;
    if (address.kind == CHAINSI_ADDRESS_UNIX) {
        snprintf(why, why_size, "'%s' can't be one of several: only http:// and https:// can",
                 text);
        chainsi_address_done(&address);
        return false;
    }
    if (address.kind == CHAINSI_ADDRESS_HTTPS && !chainsi_tls_get_engine()) {
        snprintf(why, why_size, "'%s' needs TLS, which this program is without", text);
        chainsi_address_done(&address);
        return false;
    }
    bool is_name = !chainsi_lookup_is_number(address.host);
    set->sources[set->source_count] = (chainsi_source){ address, is_name };
    set->has_names = set->has_names || is_name;
    if (!is_name && set->count < CHAINSI_LOOKUP_MOST)
        add(set, set->source_count, address.host, address.port);
    set->source_count++;
    return true;
}

static bool add_sources(chainsi_replicas *set, const char *addresses, char *why, size_t why_size)
{
    size_t most = 1;
    for (const char *at = addresses; (at = strchr(at, ',')); at++)
        most++;
    set->sources = calloc(most, sizeof *set->sources);
    char *texts = copy(addresses), *rest = texts, *text;
    if (!set->sources)
        abort();
    bool good = true;
    while (good && (text = strsep(&rest, ",")))
        good = add_source(set, text + strspn(text, " "), why, why_size);
    free(texts);
    return good;
}

chainsi_replicas *chainsi_replicas_new(const char *addresses,
                                       const chainsi_replicas_options *options, char *why,
                                       size_t why_size)
{
    chainsi_replicas *set = calloc(1, sizeof *set);
    if (!set)
        abort();
    set->options = *options;
    if (!set->options.lookup)
        set->options.lookup = chainsi_lookup_system;
    if (set->options.lookup_ms <= 0)
        set->options.lookup_ms = CHAINSI_LOOKUP_MS;
    pthread_mutex_init(&set->lock, NULL);
    pthread_mutex_init(&set->looking_first, NULL);
    set->start = (unsigned)getpid(); /* callers begin with different replicas */
    set->epoll = epoll_create1(EPOLL_CLOEXEC);
    set->changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = UINT32_MAX };
    if (set->epoll < 0 || set->changed < 0 ||
        epoll_ctl(set->epoll, EPOLL_CTL_ADD, set->changed, &event))
        snprintf(why, why_size, "cannot watch several replicas: %s", strerror(errno));
    else if (add_sources(set, addresses, why, why_size))
        return set;
    chainsi_replicas_free(set);
    return NULL;
}

void chainsi_replicas_free(chainsi_replicas *set)
{
    if (!set)
        return;
    if (set->has_looker)
        pthread_join(set->looker, NULL);
    while (set->count)
        leave_out(set, set->count - 1);
    for (size_t i = 0; i < set->source_count; i++)
        chainsi_address_done(&set->sources[i].address);
    free(set->sources);
    if (set->epoll >= 0)
        close(set->epoll);
    if (set->changed >= 0)
        close(set->changed);
    pthread_mutex_destroy(&set->looking_first);
    pthread_mutex_destroy(&set->lock);
    free(set);
}

void chainsi_replicas_read_counters(chainsi_replicas *set, chainsi_replicas_counters *counters)
{
    pthread_mutex_lock(&set->lock);
    *counters = (chainsi_replicas_counters){ .refused = set->refused,
                                             .granted = set->granted,
                                             .unreached = set->unreached,
                                             .replicas = set->count,
                                             .waiting = set->waiting,
                                             .wants = set->want_count };
    pthread_mutex_unlock(&set->lock);
}
