#include "control/document.h"

#include <stdlib.h>
#include <unistd.h>

#include "control/handle.h"
#include "control/home.h"

/* One that is being written goes on without its Chainlet. */
struct chainsi_document {
    chainsi_chainlet *chainlet;  /* NULL: it is gone */
    chainsi_upstream_call *call; /* NULL: the answer has come, and is being written */
    uv_work_t work;              /* its data: this */
    char *path;                  /* owned; where it is written */
    chainsi_buffer text;
    bool good;
    bool stale; /* it is of a program whose place has been taken */
};

/* Owned by the caller. */
static char *path_of(const chainsi_chainlet *chainlet)
{
    return chainsi_path("%s/openapi.%s", chainlet->deployment->directory,
                        chainlet->service->c_name);
}

static void free_document(chainsi_document *document)
{
    if (document->chainlet)
        document->chainlet->document = NULL;
    chainsi_buffer_done(&document->text);
    free(document->path);
    free(document);
}

static void write_text(uv_work_t *work)
{
    const chainsi_document *document = work->data;
    if (!chainsi_write_file(document->path, document->text.data, document->text.size))
        unlink(document->path); /* another brain asks again */
}

/* Until then no other one is asked for: both would be written to one place. */
static void on_written(uv_work_t *work, int status)
{
    (void)status;
    chainsi_document *document = work->data;
    chainsi_chainlet *asks_again = document->stale ? document->chainlet : NULL;
    if (document->stale)
        unlink(document->path);
    free_document(document);
    if (asks_again)
        chainsi_document_keep(asks_again);
}

static void begin_writing(chainsi_document *document)
{
    document->work.data = document;
    document->path = path_of(document->chainlet);
    uv_queue_work(document->chainlet->deployment->options.supervisor->loop, &document->work,
                  write_text, on_written);
}

static void on_head(void *user, const chainsi_http_response *response)
{
    chainsi_document *document = user;
    document->good = response->status == 200;
}

static void on_body(void *user, const char *data, size_t size)
{
    chainsi_document *document = user;
    if (document->text.size + size > CHAINSI_DOCUMENT_MOST)
        document->good = false;
    if (document->good)
        chainsi_buffer_add(&document->text, data, size);
}

static void on_end(void *user, chainsi_upstream_end end, const char *why)
{
    (void)why;
    chainsi_document *document = user;
    document->call = NULL;
    if (end == CHAINSI_UPSTREAM_ANSWERED && document->good && document->text.size) {
        begin_writing(document);
        return;
    }
    document->chainlet->documented = false; /* the next replica that is ready is asked */
    free_document(document);
}

void chainsi_document_keep(chainsi_chainlet *chainlet)
{
    static const char head[] = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static const chainsi_upstream_events events = { on_head, on_body, on_end };
    const chainsi_replica *ready = chainsi_fleet_find(chainlet->fleet, CHAINSI_REPLICA_READY);
    if (chainlet->documented || chainlet->document || !ready)
        return;
    chainlet->documented = true;
    char *path = path_of(chainlet);
    bool is_there = access(path, R_OK) == 0;
    free(path);
    if (is_there)
        return;
    chainsi_document *document = chainsi_make(sizeof *document);
    document->chainlet = chainlet;
    chainlet->document = document;
    document->call = chainsi_upstream_start(ready->probes, head, sizeof head - 1, NULL, 0, false,
                                            &events, document);
}

void chainsi_document_close(chainsi_chainlet *chainlet)
{
    chainsi_document *document = chainlet->document;
    if (document && document->call) {
        chainsi_upstream_cancel(document->call);
        free_document(document);
    } else if (document) {
        document->chainlet = NULL;
        chainlet->document = NULL;
    }
}

void chainsi_document_forget(chainsi_chainlet *chainlet)
{
    char *path = path_of(chainlet);
    if (chainlet->document && !chainlet->document->call)
        chainlet->document->stale = true;
    else
        chainsi_document_close(chainlet);
    unlink(path);
    free(path);
    chainlet->documented = false;
}

char *chainsi_document_read(const chainsi_chainlet *chainlet, size_t *size)
{
    if (chainlet->document && chainlet->document->stale)
        return NULL;
    char *path = path_of(chainlet);
    char *text = chainsi_read_file(path, CHAINSI_DOCUMENT_MOST, size);
    free(path);
    return text;
}
