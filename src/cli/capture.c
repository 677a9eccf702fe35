/* A file in memory in the place of stderr. */
#include "cli/capture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/utf8.h"

enum { ABOVE_STANDARD = 3 };

void chainsi_capture_begin(chainsi_capture *capture)
{
    int made = memfd_create("stderr", MFD_CLOEXEC);
    fflush(stderr);
    *capture = (chainsi_capture){ 0 };
    if (made < 0)
        return;
    /* It is emptied while others have it open: they go on at its end. */
    fcntl(made, F_SETFL, O_APPEND);
    int file = fcntl(made, F_DUPFD_CLOEXEC, ABOVE_STANDARD);
    int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, ABOVE_STANDARD);
    if (file >= 0 && kept >= 0 && dup2(file, STDERR_FILENO) == STDERR_FILENO) {
        *capture = (chainsi_capture){ file, kept };
    } else {
        if (file >= 0)
            close(file);
        if (kept >= 0)
            close(kept);
    }
    if (made != STDERR_FILENO)
        close(made);
}

/* Makes bytes UTF-8 without zeros: each that is no part of it becomes a '?'. */
static void make_text(char *text, size_t size)
{
    for (size_t at = 0; at < size; at++) {
        at += chainsi_utf8_valid(text + at, size - at);
        if (at < size)
            text[at] = '?';
    }
    for (size_t i = 0; i < size; i++)
        if (!text[i])
            text[i] = '?';
}

char *chainsi_capture_take(chainsi_capture *capture)
{
    struct stat info;
    if (!capture->file)
        return NULL;
    fflush(stderr);
    if (fstat(capture->file, &info) != 0 || info.st_size <= 0)
        return NULL;
    char *text = malloc((size_t)info.st_size + 1);
    if (!text)
        abort();
    ssize_t size = pread(capture->file, text, (size_t)info.st_size, 0);
    if (size < 0)
        size = 0;
    if (ftruncate(capture->file, 0) != 0)
        size = 0; /* better never than again and again */
    make_text(text, (size_t)size);
    text[size] = 0;
    return text;
}

void chainsi_capture_end(chainsi_capture *capture)
{
    char *rest = chainsi_capture_take(capture);
    if (capture->file) {
        dup2(capture->kept, STDERR_FILENO);
        close(capture->kept);
        close(capture->file);
    }
    if (rest)
        fputs(rest, stderr);
    free(rest);
    *capture = (chainsi_capture){ 0 };
}
