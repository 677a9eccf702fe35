/* The answers of the serving side: their heads, and the errors that the server gives in its own name.
 * Used by rpc/server.c only. */
#ifndef CHAINSI_RPC_ANSWER_H
#define CHAINSI_RPC_ANSWER_H

#include "rpc/connection.h"

/* The buffers of one answer after the other. All zero bytes are a good start. */
typedef struct chainsi_answer {
    chainsi_buffer head, headers, body;
} chainsi_answer;

void chainsi_answer_done(chainsi_answer *answer);
/* Gives back what an unusually large answer has left. */
void chainsi_answer_shrink(chainsi_answer *answer);

/* An empty answer in these buffers. */
chainsi_server_response chainsi_answer_begin(chainsi_answer *answer, int status);
/* An error in the form that all errors have. message is a constant that needs no escaping. */
chainsi_server_response chainsi_answer_error(chainsi_answer *answer, int status,
                                             const char *message);

/* Sends an answer to a request of this method and version. Waits for a slow reader, timeout_ms for
 * every CHAINSI_SEND_TIMEOUT_BYTES. False if it couldn't be sent as a whole. */
bool chainsi_answer_send(chainsi_answer *answer, chainsi_connection *connection,
                         const chainsi_server_response *response, chainsi_http_method method,
                         bool keep_alive, int minor_version, int timeout_ms);

/* Sends the answer to a CALL, or that it was not started. Otherwise as above; incarnation: the server's, 0 without
 * a board. The response's descriptors are closed. */
bool chainsi_answer_send_frame(chainsi_answer *answer, chainsi_connection *connection,
                               const chainsi_frame *call, chainsi_server_response *response,
                               uint64_t incarnation, int timeout_ms);
bool chainsi_answer_send_not_started(chainsi_answer *answer, chainsi_connection *connection,
                                     const chainsi_frame *call, uint64_t incarnation,
                                     int timeout_ms);

#endif
