/* Handles of libuv, and memory that is there or the process ends. */
#include "control/handle.h"

#include <stdlib.h>
#include <string.h>

void *chainsi_make(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    if (!memory)
        abort();
    return memory;
}

char *chainsi_copy_text(const char *text)
{
    if (!text)
        return NULL;
    char *copy = strdup(text);
    if (!copy)
        abort();
    return copy;
}

uv_timer_t *chainsi_timer_new(uv_loop_t *loop, void *owner)
{
    uv_timer_t *timer = chainsi_make(sizeof *timer);
    uv_timer_init(loop, timer);
    timer->data = owner;
    return timer;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void chainsi_handle_close(void *handle)
{
    uv_handle_t *closing = handle;
    if (!closing)
        return;
    closing->data = NULL;
    uv_close(closing, free_handle);
}
