/* libuv handles that live on the heap by themselves. Their data is their owner; a handle that is
 * closed forgets it, and so callbacks that come late find NULL. */
#ifndef CHAINSI_CONTROL_HANDLE_H
#define CHAINSI_CONTROL_HANDLE_H

#include <stddef.h>

#include <uv.h>

/* size zeroed bytes; running out of memory ends the process. free() takes it back. */
void *chainsi_make(size_t size);
/* A copy of a text; NULL gives NULL. free() takes it back. */
char *chainsi_copy_text(const char *text);

/* A timer that isn't started. */
uv_timer_t *chainsi_timer_new(uv_loop_t *loop, void *owner);
/* Closes any handle made by malloc and frees it. NULL is allowed. */
void chainsi_handle_close(void *handle);

#endif
