/* What the files of the server share: its parts, and who calls whom.
 *
 *   server.c   its life: start, drain, end
 *   worker.c   its threads: events, listening sockets, late connections
 *   queue.c    its slots: what waits for one, and what a thread does with the one it has
 *   handover.c kept connections in HTTP, whose next request goes to the shared queue
 *   lease.c    slots that are kept for a connection over TCP, whose call is to come (rpc/grants.h)
 *   request.c  reads a connection, runs its requests one by one, answers them
 *   bundle.c   runs the calls of a connection that carries several at once
 *   table.c    who owns a connection; connection.c its bytes; places.c the slots' numbers */
#ifndef CHAINSI_RPC_SERVING_H
#define CHAINSI_RPC_SERVING_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "rpc/answer.h"
#include "rpc/connection.h"
#include "rpc/grants.h"
#include "rpc/places.h"
#include "rpc/server.h"
#include "rpc/table.h"

typedef struct chainsi_worker {
    chainsi_server *server;
    pthread_t thread;
    chainsi_arena arena;
    chainsi_answer answer;
    chainsi_spare spare;
    chainsi_server_request request; /* the one that was read last */
    chainsi_frame frame;            /* likewise */
    int place;                      /* the slot that the thread holds; CHAINSI_NO_PLACE */
    bool expects;                   /* likewise for a call that was announced before it was read */
    int64_t run_ns;                 /* what the call in it took; -1: none has run */
    int64_t now_ns;                 /* when its last call ended, if that was just now; 0 */
} chainsi_worker;

/* The bundles of a server (rpc/bundle.h). */
typedef struct chainsi_bundles {
    pthread_mutex_t lock; /* of all that follows, and of what is in bundles */
    struct chainsi_bundle *first_runnable, *last_runnable; /* those with calls that wait */
    struct chainsi_bundle *dirty; /* those with answers that were not sent */
    struct chainsi_call *spare;   /* owned: calls to be used again */
    int spare_count;
    bool rung;           /* a thread was woken that has not looked yet */
    bool timed;          /* one will be, soon */
    int64_t usual_ns;    /* what a call takes; 0: none has run */
    atomic_int runnable; /* calls that wait; changed under the lock */
} chainsi_bundles;

struct chainsi_server {
    chainsi_server_options options;
    bool local;
    short hang_up;
    struct sockaddr_un own_name; /* of the shared socket */
    socklen_t own_name_size;     /* 0: nothing can be handed over */
    chainsi_table table;         /* with the epoll and the timer */
    chainsi_places places;
    chainsi_bundles bundles;
    int stop;         /* owned descriptors */
    int doorbell;     /* tells a thread that something waits in this process; -1 if nothing can */
    int patience;     /* a timer that does so later; -1 without frames */
    int claims_timer; /* -1 without a board */
    bool grants;      /* slots are kept for connections: it accepts eagerly, over TCP */
    int leases_timer; /* -1 if it doesn't */
    _Atomic int64_t
        idle_until_ns;       /* draining leaves idle connections open until then; 0: it doesn't */
    int thread_count;        /* that run */
    chainsi_worker *workers; /* owned */
    atomic_bool draining;
    _Atomic int64_t late_ns; /* until then calls are waited for that were claimed before draining */
    atomic_bool listener_paused; /* no descriptor is left for its next connection */
    atomic_bool listener_left;   /* disarmed: it had something when no slot was free */
    atomic_bool claims_watched;  /* the timer runs */
    atomic_bool leases_watched;  /* likewise */
    atomic_int active;           /* threads that have something to do */
    atomic_uint_fast64_t accepted, requests, refused, lost, not_started;
    atomic_int shaking; /* connections whose handshake is not done */
    atomic_uint_fast64_t handshakes, resumed, strangers;

    pthread_mutex_t lock;                             /* of what follows */
    pthread_cond_t changed;                           /* told while draining */
    uint64_t changes;                                 /* how often */
    chainsi_connection *first_waiting, *last_waiting; /* with something to run or read, for which
                                                         no slot was free */
    atomic_int waiting;                               /* how many; changed under the lock */
};

/* Tells the handler's side of calls that wait for it, or, below 0, that so many don't any more. */
static inline void chainsi_serving_announce(const chainsi_server *server, int count)
{
    if (server->options.on_read && count)
        server->options.on_read(server->options.user, count);
}

/* --- worker.c --- */

/* What a thread does from its start to its end; user is a chainsi_worker. */
void *chainsi_worker_run(void *user);
/* Puts what is not a connection into the epoll. False with errno. */
bool chainsi_worker_watch(chainsi_server *server);
/* Whether the other end is a process of the same user, or root's. */
bool chainsi_worker_trusts(int fd);
/* The connection of an accepted descriptor, which is taken; the caller owns it. NULL: there are too many. */
chainsi_connection *chainsi_worker_open(chainsi_server *server, int fd,
                                        enum chainsi_protocol protocol);
/* Accepts from the shared socket, if it has something; the caller owns the connection. */
chainsi_connection *chainsi_worker_accept(chainsi_worker *self);
/* Accepts what has connected to the direct socket and can't come in otherwise any more. */
void chainsi_worker_accept_late(chainsi_server *server);
/* Accepts all that waits in the queue of a server that drains. */
void chainsi_worker_accept_last(chainsi_server *server);
/* Has the epoll tell of the shared socket again. */
void chainsi_worker_arm_listener(chainsi_server *server);
/* Has a thread look what waits in this process. */
void chainsi_worker_ring(chainsi_server *server);

/* --- queue.c --- */

/* Whether something waits for a slot, as far as this process knows. */
bool chainsi_queue_is_waited(chainsi_server *server);
/* Whether something may wait for the slot that the caller is about to give back. */
bool chainsi_queue_has_more(chainsi_worker *self);
/* A slot for the thread, which holds none. False: none is free. */
bool chainsi_queue_take_place(chainsi_worker *self);
/* The slot that the call has claimed; any, if it came by the queue. False: it must not be run. */
bool chainsi_queue_start_claimed(chainsi_worker *self, const chainsi_frame *frame);
/* A slot for the connection, whose owner the caller is: returns the connection to go on with, which
 * may be another that has waited longer; or NULL, and it waits. */
chainsi_connection *chainsi_queue_admit(chainsi_worker *self, chainsi_connection *connection);
/* Gives the thread's slot back, without looking who waits. chainsi_queue_recheck has to follow. */
void chainsi_queue_free_place(chainsi_worker *self);
/* After a slot came free: sees to what came to wait for one meanwhile. The thread may hold a slot again
 * afterwards. */
void chainsi_queue_recheck(chainsi_worker *self);
/* A slot for what the epoll told of the listening socket, which is disarmed now. False: none is free, and it stays so. */
bool chainsi_queue_take_for_listener(chainsi_worker *self);
/* After something was accepted: arms the listening socket, unless no slot is free for more. */
void chainsi_queue_leave_listener(chainsi_worker *self);
/* Has the thread's slot run what waits, then gives it back. */
void chainsi_queue_pass_place(chainsi_worker *self);
/* The timer of claims has fired. */
void chainsi_queue_check_claims(chainsi_worker *self);
/* The other end of a connection that another thread put into the list has gone: takes it out, and closes it. */
void chainsi_queue_withdraw(chainsi_server *server, chainsi_connection *connection);
/* Before the thread's call counts as ended: if its slot is going to be another's that waits, announces
 * that, so that who is left doesn't take himself for alone meanwhile. */
void chainsi_queue_expect(chainsi_worker *self);
/* The thread's slot is not going to be that other's: what it has announced isn't expected any more. */
void chainsi_queue_expect_nothing(chainsi_worker *self);
/* A call is handed over; announced: by itself. Whether it was announced, so or as what its thread expected. */
bool chainsi_queue_meet(chainsi_worker *self, bool announced);
/* The call that was read and has waited is not going to be run. */
void chainsi_queue_dismiss(chainsi_server *server, chainsi_connection *connection);
/* Takes all out that wait unread, or for a slot alone, and closes them, for draining. */
void chainsi_queue_drain(chainsi_server *server);

/* --- handover.c --- */

/* Finds out how the server's shared socket is reached; see options.shared. */
void chainsi_handover_init(chainsi_server *server);
/* Has the request that has come on a connection of the caller's, of which nothing was read, wait in the queue
 * of the shared socket: the connection goes there, and is not the caller's any more. False: it can't. */
bool chainsi_handover_send(chainsi_server *server, chainsi_connection *connection);
/* The same, or closes it. */
void chainsi_handover_close(chainsi_server *server, chainsi_connection *connection);
/* Whether what has come on a connection is a HANDOVER, whose sender needn't be there any more. */
bool chainsi_handover_is_coming(const chainsi_server *server, const chainsi_connection *connection);
/* The connection that came with the HANDOVER frame that was read on a connection of the caller's, who owns it instead of
 * that. NULL: there is none. */
chainsi_connection *chainsi_handover_take(chainsi_worker *self, chainsi_connection *carrier);

/* --- lease.c --- */

/* Whether a slot is kept for the connection. */
bool chainsi_lease_is_held(const chainsi_connection *connection);
/* The slot that is kept for a connection of the caller's becomes the thread's. False: there is none. */
bool chainsi_lease_use(chainsi_worker *self, chainsi_connection *connection);
/* Keeps the thread's slot for the connection; the answer that tells it so. */
chainsi_server_response chainsi_lease_grant(chainsi_worker *self, chainsi_connection *connection);
/* The connection is closed: its slot, if one is kept for it, is free. */
void chainsi_lease_end(chainsi_server *server, chainsi_connection *connection);
/* Leaves idle connections open for a lease's time, though the server drains. */
void chainsi_lease_begin_drain(chainsi_server *server);
/* The timer of leases has fired. */
void chainsi_lease_check(chainsi_worker *self);
/* What the server says of its slots. */
chainsi_grants_slots chainsi_lease_slots(chainsi_server *server);

/* --- request.c --- */

/* Reads, and runs what was read, for as long as there is something. The caller owns the connection
 * and doesn't afterwards. The thread may hold a slot before and afterwards; admitted: that is for this
 * connection, before others that wait. */
void chainsi_request_serve(chainsi_worker *self, chainsi_connection *connection, bool admitted);
/* After a request was answered: what the handler left is given back. */
void chainsi_request_end(chainsi_worker *self);
/* The other end of an owned connection has gone. */
void chainsi_request_hang_up(chainsi_worker *self, chainsi_connection *connection);
/* The deadline of an owned connection has passed. */
void chainsi_request_close_late(chainsi_worker *self, chainsi_connection *connection);
/* Answers in the server's own name. False if it couldn't be sent. */
bool chainsi_request_refuse(chainsi_worker *self, chainsi_connection *connection, int status,
                            const char *message, bool keep);

#endif
