#pragma once
#include "hello_writer.h"

/** Greets every word. */
CHAINLET(hello, .entrypoint = true);
CHAINS_DEPENDS(hello, hello_writer, .retries = 2, .timeout_ms = 5000);

/* A Chainlet among the parameters of _new is a dependency: it is handed in, ready to be called. */
hello *hello_new(chains_ctx *ctx, hello_writer *writer);

/* Inputs come first and outputs last. What is written here in doc comments describes the service to
 * those who call it. */
/** Greets all words at once.
 *  @param words what to greet
 *  @param lines one line a word, in their order */
chains_status hello_run_remote(hello *self, chains_ctx *ctx,
                               chains_string_list words CHAINS_LENGTH(1, 1000),
                               chains_string_list *lines);

void hello_free(hello *self);
