/* The file: "managed" or "own", then the words, a NUL behind each. */
#include "control/start_note.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "control/home.h"

enum { MOST_NOTE = 1024 * 1024 };

static const char managed_word[] = "managed", own_word[] = "own";

void chainsi_start_note_begin(void)
{
    const char *told = getenv("SYSTEMD_EXEC_PID");
    if (told && strtol(told, NULL, 10) != getpid())
        unsetenv("INVOCATION_ID");
}

static bool is_managed(void)
{
    return getenv("NOTIFY_SOCKET") || getenv("INVOCATION_ID");
}

static char *note_path(const char *home)
{
    return chainsi_path("%s/started", home);
}

bool chainsi_start_note_write(const char *home, const chainsi_daemon_options *options, int port)
{
    chainsi_buffer text = { 0 };
    char *path = note_path(home);
    const char *first = is_managed() ? managed_word : own_word;
    chainsi_buffer_add(&text, first, strlen(first) + 1);
    bool noted = chainsi_daemon_options_again(options, port, &text);
    size_t size = 0;
    char *found = chainsi_read_file(path, MOST_NOTE, &size);
    /* What is there already is not written again: on a full disk there may be no room for it. */
    if (noted && !(found && size == text.size && !memcmp(found, text.data, size)))
        noted = chainsi_write_file(path, text.data, text.size);
    free(found);
    free(path);
    chainsi_buffer_done(&text);
    return noted;
}

bool chainsi_start_note_read(const char *home, chainsi_start_note *note)
{
    *note = (chainsi_start_note){ 0 };
    char *path = note_path(home);
    size_t size = 0, count = 0;
    note->text = chainsi_read_file(path, MOST_NOTE, &size);
    free(path);
    if (!note->text || !size || note->text[size - 1])
        return false;
    note->managed = !strcmp(note->text, managed_word);
    if (!note->managed && strcmp(note->text, own_word) != 0)
        return false;
    note->words = calloc(size + 1, sizeof *note->words); /* no word is shorter than its NUL */
    if (!note->words)
        abort();
    for (size_t at = strlen(note->text) + 1; at < size; at += strlen(note->text + at) + 1)
        note->words[count++] = note->text + at;
    return true;
}

void chainsi_start_note_done(chainsi_start_note *note)
{
    free(note->words);
    free(note->text);
}

void chainsi_start_note_forget(const char *home)
{
    char *path = note_path(home);
    unlink(path);
    free(path);
}
