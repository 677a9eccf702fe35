/* A call's way through a set of replicas: tries, each with the request not to wait; then the list of waiting
 * calls; then an exchange on the connection for which a slot is kept. */
#include "rpc/replicas.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "rpc/calling.h"

/* A replica that keeps slots and then refuses the call is asked so often by one call. */
enum { MOST_ROUNDS = 64 };

/* Bytes of the header lines that are added here. */
enum { MORE_HEADERS = 128 };

/* ------------------------------------------------------------------------------------------------
 * a call */

/* A call on its way. */
typedef struct passage {
    chainsi_replica *tried[MOST_ROUNDS + 1]; /* only compared */
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
    if (!was_tried(call, replica) && call->tried_count < MOST_ROUNDS + 1)
        call->tried[call->tried_count++] = replica;
}

/* The best of those that are in use; NULL: none. */
static chainsi_replica *pick(chainsi_replicas *set, const passage *call)
{
    for (int i = 0; i < set->used; i++)
        set->skipped[i] = call->tried_count && was_tried(call, set->all[i]);
    int at = chainsi_choice_pick(set->known, set->skipped, set->used, set->start, !call->refused,
                                 chainsi_now_ns());
    return at == CHAINSI_CHOICE_NONE ? NULL : set->all[at];
}

/* The replica to try next; NULL: none. What isn't in use yet is better than what can only be had in need. */
static chainsi_replica *choose(chainsi_replicas *set, const passage *call)
{
    chainsi_replica *best = pick(set, call);
    while ((!best || chainsi_choice_in_need(&best->known)) && chainsi_members_take_in(set))
        best = pick(set, call);
    return best;
}

/* Why none can be reached. */
static void say_nowhere(const chainsi_replicas *set, char *why, size_t why_size)
{
    snprintf(why, why_size, "%s",
             set->count             ? "none of its replicas can be reached"
             : *set->lookup_failure ? set->lookup_failure
                                    : "it has no address");
}

/* What there is has been looked up once. ANSWERED: it has. */
static chainsi_exchange_end find_names(chainsi_replicas *set, const chainsi_client_request *request,
                                       int *error, char *why, size_t why_size)
{
    switch (chainsi_replicas_look_up_first(set, request->deadline_ns, request->interrupt)) {
    case CHAINSI_WAIT_READY:
        break;
    case CHAINSI_WAIT_DEADLINE:
        *error = EHOSTUNREACH;
        snprintf(why, why_size, "the deadline passed before its name was looked up");
        return CHAINSI_EXCHANGE_DEADLINE;
    case CHAINSI_WAIT_INTERRUPTED:
        snprintf(why, why_size, "interrupted");
        return CHAINSI_EXCHANGE_INTERRUPTED;
    }
    return CHAINSI_EXCHANGE_ANSWERED;
}

/* Where the call goes now: *call is told. ANSWERED: it can be sent. */
static chainsi_exchange_end find_place(chainsi_replicas *set, passage *call,
                                       const chainsi_client_request *request, int *error, char *why,
                                       size_t why_size)
{
    const int64_t now_ns = chainsi_now_ns();
    int64_t ignored = CHAINSI_NEVER;
    chainsi_replicas_refresh(set, now_ns, &ignored);
    chainsi_probe_all(set, now_ns);
    for (;;) {
        call->connection = CHAINSI_NO_CHANNEL;
        call->replica = set->first_waiting || !call->tries ? NULL : choose(set, call);
        if (call->replica) {
            call->replica->references++;
            return CHAINSI_EXCHANGE_ANSWERED;
        }
        if (!set->options.at_zero_ms && !set->first_waiting && chainsi_members_are_down(set)) {
            *error = *error ? *error : EHOSTUNREACH;
            if (!set->count)
                say_nowhere(set, why, why_size);
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
            if (chainsi_members_are_down(set)) {
                *error = EHOSTUNREACH;
                say_nowhere(set, why, why_size);
            } else {
                *error = 0;
                snprintf(why, why_size, "the deadline passed before a slot was free");
            }
            return CHAINSI_EXCHANGE_DEADLINE;
        case CHAINSI_WAITING_INTERRUPTED:
            snprintf(why, why_size, "interrupted");
            return CHAINSI_EXCHANGE_INTERRUPTED;
        case CHAINSI_WAITING_UNREACHABLE:
            *error = EHOSTUNREACH;
            say_nowhere(set, why, why_size);
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
    chainsi_members_ended(set, replica, answered ? run_ns : 0);
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
    end = find_names(set, request, &response->error, why, why_size);
    again = end == CHAINSI_EXCHANGE_ANSWERED;
    if (elsewhere && set->count > 1 && set->last)
        note_tried(&call, set->last);
    for (int round = 0; again && round < MOST_ROUNDS; round++) {
        end = find_place(set, &call, request, &response->error, why, why_size);
        again = end == CHAINSI_EXCHANGE_ANSWERED;
        if (!again)
            break;
        chainsi_replica *replica = call.replica;
        chainsi_members_sent(set, replica, call.connection.fd >= 0);
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
    set->sources[set->source_count] = (chainsi_source){ .address = address, .is_name = is_name };
    set->has_names = set->has_names || is_name;
    if (!is_name)
        chainsi_members_add(set, set->source_count, address.host, address.port);
    set->source_count++;
    return true;
}

static bool add_sources(chainsi_replicas *set, const char *addresses, char *why, size_t why_size)
{
    size_t most = 1;
    for (const char *at = addresses; (at = strchr(at, ',')); at++)
        most++;
    set->sources = calloc(most, sizeof *set->sources);
    char *texts = strdup(addresses), *rest = texts, *text;
    if (!set->sources || !texts)
        abort();
    bool good = true;
    while (good && (text = strsep(&rest, ",")))
        good = add_source(set, text + strspn(text, " "), why, why_size);
    free(texts);
    chainsi_members_take_in_first(set);
    return good;
}

static bool prepare_look_up(chainsi_replicas *set, char *why, size_t why_size)
{
    if (!set->has_names)
        return true;
    set->first_look_up = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (set->first_look_up < 0)
        snprintf(why, why_size, "cannot wait for names: %s", strerror(errno));
    return set->first_look_up >= 0;
}

chainsi_replicas *chainsi_replicas_new(const char *addresses,
                                       const chainsi_replicas_options *options, char *why,
                                       size_t why_size)
{
    chainsi_replicas *set = calloc(1, sizeof *set);
    if (!set)
        abort();
    set->options = *options;
    set->first_look_up = -1;
    if (!set->options.lookup)
        set->options.lookup = chainsi_lookup_system;
    if (set->options.lookup_ms <= 0)
        set->options.lookup_ms = CHAINSI_LOOKUP_MS;
    pthread_mutex_init(&set->lock, NULL);
    /* Callers begin with different replicas; pods have all the same numbers of processes. */
    if (getrandom(&set->chance, sizeof set->chance, GRND_NONBLOCK) != sizeof set->chance)
        set->chance = (uint32_t)getpid();
    set->chance |= 1;
    set->start = set->chance;
    set->epoll = epoll_create1(EPOLL_CLOEXEC);
    set->changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = UINT32_MAX };
    if (set->epoll < 0 || set->changed < 0 ||
        epoll_ctl(set->epoll, EPOLL_CTL_ADD, set->changed, &event))
        snprintf(why, why_size, "cannot watch several replicas: %s", strerror(errno));
    else if (add_sources(set, addresses, why, why_size) && prepare_look_up(set, why, why_size))
        return set;
    chainsi_replicas_free(set);
    return NULL;
}

void chainsi_replicas_free(chainsi_replicas *set)
{
    if (!set)
        return;
    chainsi_members_free(set);
    for (size_t i = 0; i < set->source_count; i++) {
        chainsi_address_done(&set->sources[i].address);
        chainsi_found_done(&set->sources[i].found);
    }
    free(set->sources);
    if (set->epoll >= 0)
        close(set->epoll);
    if (set->changed >= 0)
        close(set->changed);
    if (set->first_look_up >= 0)
        close(set->first_look_up);
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
                                             .used = set->used,
                                             .waiting = set->waiting,
                                             .wants = set->want_count };
    pthread_mutex_unlock(&set->lock);
}
