/* Every size, count and time that the other end of a connection could otherwise choose freely. */
#ifndef CHAINSI_RPC_LIMITS_H
#define CHAINSI_RPC_LIMITS_H

enum {
    /* A request line or status line, bytes without its CRLF. A longer one is answered with 414. */
    CHAINSI_MAX_START_LINE = 8 * 1024,
    /* Header lines of a head, and bytes of the whole head up to and including its empty line. More
     * is answered with 431. */
    CHAINSI_MAX_HEADERS = 64,
    CHAINSI_MAX_HEAD = 64 * 1024,
    /* A method's name; a longer one is answered with 501. */
    CHAINSI_MAX_METHOD = 32,
    /* A body, bytes, where nobody says otherwise. A larger one is answered with 413. */
    CHAINSI_MAX_BODY = 64 * 1024 * 1024,
    /* All chunk extensions of one body together, and all lines behind the last chunk, bytes. */
    CHAINSI_MAX_CHUNK_EXTENSIONS = 16 * 1024,
    CHAINSI_MAX_TRAILERS = 8 * 1024,
    /* Interim (1xx) answers that the calling side skips before the one that counts. */
    CHAINSI_MAX_INTERIM = 8,

    /* The serving side waits this long for the rest of a request that has begun, from its first
     * byte. */
    CHAINSI_REQUEST_TIMEOUT_MS = 30 * 1000,
    /* It waits this long for a TLS handshake, and for so many at once; who comes then is closed. */
    CHAINSI_HANDSHAKE_MS = 10 * 1000,
    CHAINSI_MAX_HANDSHAKES = 256,
    /* A refused request's rest is read and dropped for this long and up to this many bytes, so that
     * the refusal reaches a caller that is still sending. */
    CHAINSI_LINGER_MS = 2 * 1000,
    CHAINSI_LINGER_BYTES = 16 * 1024 * 1024,
    /* The time a caller has to read an answer: so many milliseconds for every so many bytes that
     * the answer has or begins. Slower readers are cut off. */
    CHAINSI_SEND_TIMEOUT_MS = 30 * 1000,
    CHAINSI_SEND_TIMEOUT_BYTES = 2 * 1024 * 1024,
    /* The reader of an answer in parts slows its writer down, but if it takes nothing for this long
     * it is cut off: an open stream holds a slot. */
    CHAINSI_READER_STALL_MS = 5 * 60 * 1000,
    /* Bytes beside the items of a stream (base/attachments.h) that its reader has not taken. Beyond,
     * large values go through the socket like others, which fills and slows the writer down. */
    CHAINSI_MAX_AFLOAT = 16 * 1024 * 1024,
    /* One part of a stream (an item, the result, an error), bytes as they are on the wire; and all
     * items of a stream together where they are gathered into one answer. */
    CHAINSI_MAX_PART = 64 * 1024 * 1024,
    CHAINSI_MAX_GATHERED = 64 * 1024 * 1024,
    /* The same for a small answer to a call that came alone on its connection (SOLE), or over TCP with the request
     * not to wait, which is sent without a slot: its reader has nothing else to read, and only who breaks the rules has no room for it. */
    CHAINSI_SOLE_SEND_MS = 1000,
    /* Connections that one server holds, busy and idle; beyond, the one that is idle for longest is
     * closed. Lowered to three quarters of what RLIMIT_NOFILE allows. */
    CHAINSI_MAX_CONNECTIONS = 16384,
    /* Calls that wait inside a server that accepts eagerly; beyond, 429. */
    CHAINSI_MAX_WAITING = 256,
    /* The pause that a caller who meets a full queue, or an exhausted service, is asked for: seconds. */
    CHAINSI_RETRY_AFTER_S = 1,
    /* A claim of a slot whose call hasn't come after this time is taken back when the slot is needed
     * (at once if its process is gone), which is looked at this often. */
    CHAINSI_CLAIM_MS = 1000,
    CHAINSI_CLAIM_LOOK_MS = 1,
    /* A server that drains waits this long for calls whose slots had been claimed by then, to send
     * them back: of several that are closed unread together nobody knows that none was begun. */
    CHAINSI_LATE_CLAIM_MS = 1000,
    /* A slot that was granted to a connection over TCP is kept for its call so long. */
    CHAINSI_LEASE_MS = 250,
    /* Calls of one framed connection that were read and wait in the process, and their bytes; beyond
     * either, the rest stays in the socket. */
    CHAINSI_MAX_BUNDLED = 1024,
    CHAINSI_MAX_BUNDLED_BYTES = 16 * 1024 * 1024,
    /* Answers of one framed connection are sent at the latest when they have so many bytes together;
     * while so many can't be sent, because the other end doesn't read, nothing more of it is read or run. */
    CHAINSI_OUTBOX_FLUSH = 64 * 1024,
    CHAINSI_MAX_OUTBOX = 1024 * 1024,
    /* Connections that the calling side keeps for reuse, for one address. */
    CHAINSI_MAX_IDLE = 64,
    /* Where a service has several replicas over TCP, the calling side gives a connection so long to be made;
     * has at most so many wants (rpc/grants.h) at one replica and at all together; sends a call to so many
     * replicas that turn out to be busy before it waits, or to one if it is so large; and looks names up so
     * often, or after this time when a replica was lost. */
    CHAINSI_CONNECT_MS = 1000,
    CHAINSI_MAX_WANTS_EACH = 16,
    CHAINSI_MAX_WANTS = 256,
    CHAINSI_TRIES = 3,
    CHAINSI_LARGE_TRY = 64 * 1024,
    CHAINSI_LOOKUP_MS = 2000,
    CHAINSI_LOOKUP_SOON_MS = 200,
    /* The same while there is none and calls wait for the first. */
    CHAINSI_LOOKUP_ZERO_MS = 100,
    /* One that couldn't be reached is tried by a connection without a call, while others are called: after the first time,
     * doubled with each failure up to the second; looked at so often meanwhile. */
    CHAINSI_PROBE_FIRST_MS = 100,
    CHAINSI_PROBE_LONGEST_MS = 5000,
    CHAINSI_PROBE_LOOK_MS = 2,
    /* Of many replicas the calling side begins with so many; has at most so many more in use than it has calls
     * at; and takes so many others in, so often, while calls wait, but each but once in so long a time: all callers do
     * so when there are too few slots. */
    CHAINSI_USED_FIRST = 64,
    CHAINSI_USED_SPARE = 256,
    CHAINSI_EXPLORE = 32,
    CHAINSI_EXPLORE_MS = 20,
    CHAINSI_EXPLORE_ROUND_MS = 10000,
    /* A host at the other end of a TCP connection that answers nothing for this long, no probe of the kernel's (of which the
     * first goes out this long after its last word) and no byte that was sent, is lost, and with it the connection. Requests
     * larger than this may have to wait until the other end reads, and are waited for as long as its kernel answers. */
    CHAINSI_HOST_LOST_MS = 15 * 1000,
    CHAINSI_HOST_PROBE_S = 5,
    CHAINSI_HOST_PROBE_EACH_S = 2,
    CHAINSI_SURE_TO_FIT = 16 * 1024,
    /* The kernel's queue of a listening socket (which lowers it to net.core.somaxconn). */
    CHAINSI_BACKLOG = 4096,
};

#endif
