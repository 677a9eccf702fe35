/* A small web server for recordings: it serves the files of one folder, whole or in ranges, on
 * 127.0.0.1. For the demo and the tests; it trusts its clients not to be many. */
#pragma once
#include <stdint.h>

typedef struct media_server media_server;

/* Starts serving folder, on threads of its own. Under /no-ranges/ are the same files without
 * ranges, and /status/503 answers 503, and so on for other numbers. Returns NULL with errno set on
 * failure. The caller ends it with media_server_stop.
 *   folder   kept as a copy
 *   port     0: any that is free */
media_server *media_server_start(const char *folder, int port);
/* Closes all connections and waits for the threads. NULL is ignored. */
void media_server_stop(media_server *server);

/* The port that it listens on. From any thread. */
int media_server_port(const media_server *server);
/* Bytes of files sent so far. From any thread. */
uint64_t media_server_bytes_sent(const media_server *server);
