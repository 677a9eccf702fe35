#include "control/document.h"

#include <stdlib.h>
#include <unistd.h>

#include "control/handle.h"
#include "control/home.h"

struct chainsi_document {
    chainsi_chainlet *chainlet;
    chainsi_upstream_call *call;
    chainsi_buffer text;
    bool good;
};

/* What is on its way to the disk; nobody's. */
typedef struct writing {
    uv_work_t work; /* its data: this */
    char *path;     /* owned */
    chainsi_buffer text;
} writing;

/* Owned by the caller. */
static char *path_of(const chainsi_chainlet *chainlet)
{
    return chainsi_path("%s/openapi.%s", chainlet->deployment->directory,
                        chainlet->service->c_name);
}

static void write_text(uv_work_t *work)
{
    const writing *job = work->data;
    if (!chainsi_write_file(job->path, job->text.data, job->text.size))
        unlink(job->path); /* another brain asks again */
}

static void on_written(uv_work_t *work, int status)
{
    (void)status;
    writing *job = work->data;
    chainsi_buffer_done(&job->text);
    free(job->path);
    free(job);
}

/* Takes the text. */
static void begin_writing(const chainsi_chainlet *chainlet, chainsi_buffer *text)
{
    writing *job = chainsi_make(sizeof *job);
    job->work.data = job;
    job->path = path_of(chainlet);
    job->text = *text;
    *text = (chainsi_buffer){ 0 };
    uv_queue_work(chainlet->deployment->options.supervisor->loop, &job->work, write_text,
                  on_written);
}

static void free_document(chainsi_document *document)
{
    document->chainlet->document = NULL;
    chainsi_buffer_done(&document->text);
    free(document);
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
    if (end == CHAINSI_UPSTREAM_ANSWERED && document->good && document->text.size)
        begin_writing(document->chainlet, &document->text);
    else
        document->chainlet->documented = false; /* the next replica that is ready is asked */
    free_document(document);
}

void chainsi_document_keep(chainsi_chainlet *chainlet)
{
    static const char head[] = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static const chainsi_upstream_events events = { on_head, on_body, on_end };
    const chainsi_replica *ready = chainsi_fleet_find(chainlet->fleet, CHAINSI_REPLICA_READY);
    if (chainlet->documented || !ready)
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
    if (!chainlet->document)
        return;
    chainsi_upstream_cancel(chainlet->document->call);
    free_document(chainlet->document);
}

void chainsi_document_forget(chainsi_chainlet *chainlet)
{
    char *path = path_of(chainlet);
    chainsi_document_close(chainlet);
    unlink(path);
    free(path);
    chainlet->documented = false;
}

char *chainsi_document_read(const chainsi_chainlet *chainlet, size_t *size)
{
    char *path = path_of(chainlet);
    char *text = chainsi_read_file(path, CHAINSI_DOCUMENT_MOST, size);
    free(path);
    return text;
}
