/* What the files of a joint share: its parts, and who calls whom.
 *
 *   joint.c        a call's way through it: begin, follow, end
 *   joint_trunk.c  where calls are meanwhile: trunks and the line
 *   joint_lead.c   what the leader of a trunk does for all
 *
 * Functions here are called with the lock held, if they don't say otherwise. */
#ifndef CHAINSI_RPC_JOINT_PARTS_H
#define CHAINSI_RPC_JOINT_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "rpc/joint.h"
#include "rpc/sheaf.h"

enum {
    CHAINSI_JOINT_MOST = 128, /* calls on a trunk; also those whose interrupts one poll() watches */
    CHAINSI_JOINT_TOGETHER = 64, /* claims that are made together */
};

/* What a thread that sleeps is told, and that it sleeps: bits of a word, which is a futex. */
enum chainsi_joint_word {
    CHAINSI_JOINT_SLEEPS = 1,
    CHAINSI_JOINT_DONE = 2,   /* the call has ended */
    CHAINSI_JOINT_LEAD = 4,   /* it leads its trunk; that stays when the call has ended */
    CHAINSI_JOINT_LOOK = 8,   /* something of its own may end the call */
    CHAINSI_JOINT_ALONE = 16, /* it is out of the line, and goes alone */
    CHAINSI_JOINT_COVER = 32, /* its wait is the timed one from now on */
};

typedef struct chainsi_joint_call chainsi_joint_call;
typedef struct chainsi_joint_trunk chainsi_joint_trunk;

typedef struct chainsi_joint_calls {
    chainsi_joint_call *first, *last;
    uint32_t count;
} chainsi_joint_calls;

/* A call, on the stack of its thread. */
struct chainsi_joint_call {
    _Atomic uint32_t word; /* of enum chainsi_joint_word */
    chainsi_joint_call *next, *previous;
    const chainsi_link_request *request;
    chainsi_arena *arena;
    chainsi_link_answer *answer;
    chainsi_joint_trunk *trunk; /* NULL: in line */
    uint32_t id;                /* on the trunk */
    bool claimed;
    chainsi_claim claim;
    int64_t made_ns;
    int64_t since_ns; /* when it came into the line, or on the trunk */
    chainsi_joint_end how;
    chainsi_exchange_end end;
    char *why;
    size_t why_size;
};

enum chainsi_joint_leading { CHAINSI_JOINT_RUNNING, CHAINSI_JOINT_READING, CHAINSI_JOINT_WATCHING };

/* A connection that calls share. */
struct chainsi_joint_trunk {
    chainsi_joint_trunk *next;
    chainsi_sheaf sheaf;
    chainsi_arena arena;        /* what was read and not handed out */
    chainsi_joint_calls calls;  /* in the order of sending */
    chainsi_joint_call *leader; /* NULL: it has no calls */
    enum chainsi_joint_leading leading;
    bool sender;        /* a thread is about to send what was added */
    int silent;         /* reads that nothing came in */
    int64_t checked_ns; /* when interrupts and deadlines were last looked at */
};

struct chainsi_joint {
    chainsi_link *link;
    chainsi_board *board;
    atomic_uint callers;
    atomic_size_t answer_size;   /* bytes, a moving average */
    pthread_mutex_t lock;        /* of all that follows */
    chainsi_joint_trunk *trunks; /* owned; a few */
    chainsi_joint_calls line;
    bool covered;        /* some thread's wait ends after CHAINSI_JOINT_LOOK_US at the latest */
    int64_t answered_ns; /* when an answer came last */
};

/* Threads to be woken once the lock is released. */
typedef struct chainsi_joint_wakes {
    _Atomic uint32_t *words[CHAINSI_JOINT_MOST];
    int count;
} chainsi_joint_wakes;

/* --- joint.c --- */

/* After the timed wait of a call's thread: looks for slots for those in line. Whether the thread's next
 * wait is timed; if not, another's is, where one has to be. The lock is not held. */
bool chainsi_joint_cover(chainsi_joint *joint, chainsi_joint_call *call);

/* --- joint_trunk.c --- */

void chainsi_joint_append(chainsi_joint_calls *list, chainsi_joint_call *call);
void chainsi_joint_take_out(chainsi_joint_calls *list, chainsi_joint_call *call);
/* Tells a call something. After DONE and ALONE it may be gone. */
void chainsi_joint_tell(chainsi_joint_call *call, uint32_t what, chainsi_joint_wakes *to_wake);
/* Releases the lock, and then wakes who was told something: who is woken may need it. */
void chainsi_joint_unlock(chainsi_joint *joint, chainsi_joint_wakes *to_wake);

void chainsi_joint_set_end(chainsi_joint_call *call, chainsi_exchange_end end, int error,
                           const char *why);
/* Gives the claim back; whether that means that the call wasn't and won't be started. */
bool chainsi_joint_withdraw(chainsi_joint *joint, chainsi_joint_call *call);

/* The trunk to a replica that takes one more call; NULL: there is none, and none can be had. */
chainsi_joint_trunk *chainsi_joint_trunk_to(chainsi_joint *joint, uint64_t incarnation);
void chainsi_joint_free_trunk(chainsi_joint *joint, chainsi_joint_trunk *on);
/* Puts a call with a claim on its trunk; nothing is sent yet. */
void chainsi_joint_add(chainsi_joint_trunk *on, chainsi_joint_call *call,
                       const chainsi_claim *claim, int64_t now_ns);
/* Sees to it that what was added leaves: by the leader, or now. What can't be sent is the leader's to
 * find out, who reads. */
void chainsi_joint_send_added(chainsi_joint_trunk *on, chainsi_joint_wakes *to_wake);
/* The connection is of no further use: ends its calls and frees it. error: of sending or reading, 0
 * for an end of file. refused: what came was no answer. */
void chainsi_joint_lose(chainsi_joint *joint, chainsi_joint_trunk *on, int error,
                        const char *refused, chainsi_joint_wakes *to_wake);
/* After the leader's call has ended: another one leads, or nobody. */
void chainsi_joint_hand_over(chainsi_joint *joint, chainsi_joint_trunk *on,
                             chainsi_joint_wakes *to_wake);

/* Whether answers come often enough for a call to wait in line for one. */
bool chainsi_joint_is_brisk(const chainsi_joint *joint, int64_t now_ns);
/* Gives free slots to those in line, and sends away who has waited too long. */
void chainsi_joint_serve_line(chainsi_joint *joint, int64_t now_ns, chainsi_joint_wakes *to_wake);
/* Nothing comes back that could free a slot: nobody waits in line for it. */
void chainsi_joint_clear_line(chainsi_joint *joint, chainsi_joint_wakes *to_wake);
/* Sees to it that somebody looks for slots for those in line. */
void chainsi_joint_keep_covered(chainsi_joint *joint, chainsi_joint_wakes *to_wake);

/* --- joint_lead.c --- */

/* The call was told to look after itself. True: it has ended. The lock is not held. */
bool chainsi_joint_look(chainsi_joint *joint, chainsi_joint_call *call);
/* Leads the trunk of the call until the call has ended, or should look after itself. Releases the
 * lock. */
void chainsi_joint_lead(chainsi_joint *joint, chainsi_joint_call *call);

#endif
