/* Connections that carry several calls at once: those whose CALL frames aren't SOLE. What was read
 * waits in a list of the process until a thread takes it; the answers of a connection are collected
 * and leave together. Used by the files of the server only. */
#ifndef CHAINSI_RPC_BUNDLE_H
#define CHAINSI_RPC_BUNDLE_H

#include "rpc/connection.h"
#include "rpc/serving.h"

typedef struct chainsi_bundle chainsi_bundle;

/* All bundles of a server. All zero bytes, but for _init, are a good start. */
void chainsi_bundles_init(chainsi_bundles *bundles);
void chainsi_bundles_done(chainsi_bundles *bundles);

/* For the owner of a connection. */

/* Takes the whole frame that was read, a CALL or CANCEL, of a connection that carries several calls (from
 * now on, if it has no bundle yet), and calls behind it that are wholly there. False: reading has to stop, because enough waits already; the
 * connection is told of again when there is room. */
bool chainsi_bundle_take(chainsi_worker *self, chainsi_connection *connection);
/* Whether calls of the connection are waiting, running or unanswered. Any thread. */
bool chainsi_bundle_is_busy(const chainsi_connection *connection);
/* Goes on sending, after the socket was full. False: it failed, the connection is of no further use. */
bool chainsi_bundle_resume(chainsi_worker *self, chainsi_connection *connection);
/* Draining: sends what has not begun back. */
void chainsi_bundle_send_back(chainsi_server *server, chainsi_connection *connection);
/* The connection is about to be closed: drops what waits, cancels what runs. */
void chainsi_bundle_close(chainsi_server *server, chainsi_connection *connection);

/* Why a thread looks for calls. */
enum chainsi_bell {
    CHAINSI_BELL_NONE, /* it has just read some */
    CHAINSI_BELL_RUNG,
    CHAINSI_BELL_TIMED,
};

/* Any thread of the server: runs calls as long as some wait, then sends the answers. May come back
 * early, with a slot that something else waits for. */
void chainsi_bundle_work(chainsi_worker *self, enum chainsi_bell bell);

#endif
