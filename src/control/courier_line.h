/* What brain and courier say to each other: messages of one size over a SOCK_SEQPACKET pair, with descriptors
 * beside the one that hands over an errand.
 *
 *   brain     ERRAND, then with a file TAKE or CANCEL once it has seen the ANSWER; CANCEL at any time; PING
 *   courier   with a file ANSWER, then WRITTEN as often as need be; ENDED, always and last; PONG
 *
 * What is said of an errand that the other side has done with is passed over: the two may have crossed. Both
 * ends are one program, the very same file, so structs travel as they are. */
#ifndef CHAINSI_CONTROL_COURIER_LINE_H
#define CHAINSI_CONTROL_COURIER_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/courier.h"
#include "control/packet.h"

enum { CHAINSI_LINE_FD = 3 /* the courier's end, in the courier */ };

typedef enum chainsi_line_kind {
    CHAINSI_LINE_ERRAND = 1, /* with a parcel, and the file if there is one; parcel, terms */
    CHAINSI_LINE_TAKE,       /* value: where in the file what is wanted ends */
    CHAINSI_LINE_CANCEL,
    CHAINSI_LINE_PING,
    CHAINSI_LINE_ANSWER,  /* answer */
    CHAINSI_LINE_WRITTEN, /* value: bytes; error: libuv's, or 0 */
    CHAINSI_LINE_ENDED,   /* outcome, answer, why */
    CHAINSI_LINE_PONG,
} chainsi_line_kind;

/* What is in a parcel. */
typedef struct chainsi_line_parcel {
    uint64_t texts_size; /* bytes; the body is behind them */
    uint64_t body_size;
    uint32_t has_body; /* bool */
} chainsi_line_parcel;

typedef struct chainsi_line_message {
    uint32_t kind;   /* chainsi_line_kind */
    uint32_t number; /* of the errand */
    int64_t value;
    int32_t error;
    uint32_t outcome; /* chainsi_errand_outcome */
    union {
        struct {
            chainsi_line_parcel parcel;
            chainsi_errand_terms terms;
        };
        struct {
            chainsi_errand_answer answer;
            char why[CHAINSI_ERRAND_MOST_WHY];
        };
    };
} chainsi_line_message;

/* Sends a message with copies of descriptors. Doesn't block on a non-blocking socket. False: errno. */
bool chainsi_line_send(int socket, const chainsi_line_message *message, const int *fds,
                       size_t fd_count);
/* Receives one; fds gets the descriptors that came along, CLOEXEC and the caller's, or -1. 1, or 0 at the end
 * (the other process is gone), or -1: errno, EBADMSG for what is no message. Texts in it end. */
int chainsi_line_receive(int socket, chainsi_line_message *message,
                         int fds[CHAINSI_PACKET_MOST_FDS]);

/* The parcel of an errand: a memfd with its URL, agent, authorities ("": the system's) and headers, each with a
 * NUL, and its body. The caller closes it. -1: errno, E2BIG for texts above their limit. */
int chainsi_line_pack(const chainsi_errand_request *request, chainsi_line_parcel *parcel);
/* Maps a parcel: texts, with the body behind them; munmap(2) it by *size. NULL: errno, EBADMSG for what is none.
 * The descriptor may be closed then. */
const char *chainsi_line_unpack(int fd, const chainsi_line_parcel *parcel, size_t *size);

#endif
