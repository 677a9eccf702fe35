/* Whole files, read and written. */
#ifndef CHAINSI_IMAGE_FILE_H
#define CHAINSI_IMAGE_FILE_H

#include "base/buffer.h"
#include "image/problem.h"

/* Appends the file's contents, at most max bytes: more is a problem. */
bool chainsi_file_read(const char *path, size_t max, chainsi_buffer *out, chainsi_problem *problem);
/* Writes it under another name and renames that: all or nothing. */
bool chainsi_file_write(const char *path, const void *data, size_t size, chainsi_problem *problem);

#endif
