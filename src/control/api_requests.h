/* Asynchronous requests on the wire, as C structs with the tables that the codecs walk. The names of the
 * fields are those on the wire.
 *
 *   POST   .../async_run_remote     api_async -> api_async_accepted (202), when it is on the disk
 *   GET    /requests/ID             -> api_request
 *   DELETE /requests/ID             -> api_request, which is CANCELLED
 *   GET    /requests                -> list of api_request, the newest first, without results;
 *                                      ?chain=NAME&status=STATE&limit=N&before=ID */
#ifndef CHAINSI_CONTROL_API_REQUESTS_H
#define CHAINSI_CONTROL_API_REQUESTS_H

#include "control/store_requests.h"

enum {
    CHAINSI_REQUEST_MOST_PRIORITY = 1000,
    CHAINSI_REQUEST_MOST_RETRIES = 100,
    CHAINSI_REQUESTS_PAGE = 100, /* requests of a list, unless ?limit= says otherwise */
    CHAINSI_REQUESTS_MOST_PAGE = 1000,
};

/* A request as it is asked for. All may be left out. */
typedef struct chainsi_api_async {
    chains_json input;          /* the arguments by name; default {} */
    const char *webhook;        /* URL to be told of its end; NULL: none */
    int32_t priority;           /* 0 is the highest, and the default */
    double max_time_in_queue_s; /* 0: no limit */
    int32_t retries;            /* attempts after the first; default 0 */
} chainsi_api_async;

typedef struct chainsi_api_async_accepted {
    const char *request_id;
} chainsi_api_async_accepted;

/* What is told of a request. */
typedef struct chainsi_api_request {
    const char *request_id;
    const char *chain;
    const char *environment;
    const char *version;  /* null: whatever the environment runs */
    const char *chainlet; /* null: the entrypoint */
    const char *key;      /* id of the API key that handed it over; null: it was done without one */
    chainsi_request_state status;
    chains_json result; /* null unless it SUCCEEDED */
    chains_json error;  /* of the latest attempt that failed; null: none did */
    int32_t priority;
    double max_time_in_queue_s;
    int32_t retries, attempts, losses;
    const char *created_at;
    const char *expires_at; /* null: never */
    const char *started_at; /* of the latest attempt; null: it hasn't */
    const char *ended_at;   /* null: it hasn't */
    const char *webhook;
    chainsi_webhook_state webhook_status;
    int32_t webhook_attempts;
    const char *webhook_error; /* of the latest attempt; null: none, or it was taken */
} chainsi_api_request;

typedef struct chainsi_api_requests {
    chainsi_api_request *items;
    size_t count;
} chainsi_api_requests;

extern const chainsi_type chainsi_api_async_type, chainsi_api_async_accepted_type,
    chainsi_api_request_type, chainsi_api_requests_type;

/* What is told of a row; it points into the row. */
void chainsi_api_request_of(const chainsi_stored_request *row, chainsi_api_request *request);

#endif
