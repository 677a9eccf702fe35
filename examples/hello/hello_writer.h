/* A Chainlet is a header and a source. This header is the whole interface: what the Chainlet is
 * called, what it needs, and what it takes and gives. */
#pragma once
#include <chains.h>

/** Writes one line about a word. */
CHAINLET(hello_writer);

/* Loads what the Chainlet keeps between calls, such as a model. */
hello_writer *hello_writer_new(chains_ctx *ctx);

/** Greets something.
 *  @param word what to greet
 *  @param line the greeting */
chains_status hello_writer_run_remote(hello_writer *self, chains_ctx *ctx,
                                      const char *word CHAINS_LENGTH(1, 100), const char **line);

void hello_writer_free(hello_writer *self);
