/* Small files that are no files: those below /proc and /sys, whose size isn't known beforehand and
 * which take what is written to them as a command. Any thread. */
#ifndef CHAINSI_CONTROL_KERNEL_FILE_H
#define CHAINSI_CONTROL_KERNEL_FILE_H

#include <stddef.h>

/* The whole text of folder/file. The caller frees it. NULL: errno. */
char *chainsi_kernel_file_read(const char *folder, const char *file);
/* The same of one that may have NULs inside; another one is behind the bytes. */
char *chainsi_kernel_file_read_bytes(const char *folder, const char *file, size_t *size);
/* Writes the text to folder/file, which must be there, in one piece. 0 or errno. */
int chainsi_kernel_file_write(const char *folder, const char *file, const char *text);

#endif
