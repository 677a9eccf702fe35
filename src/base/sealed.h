/* Memory of a fixed size that processes share by a descriptor, and that begins with a word that says what it
 * is. Its size is sealed: what shrank under a process that has it mapped would be a SIGBUS. */
#ifndef CHAINSI_BASE_SEALED_H
#define CHAINSI_BASE_SEALED_H

#include <stddef.h>
#include <stdint.h>

/* Makes such a memory, which begins with head, the word first, and is zero behind it: a CLOEXEC descriptor of
 * a memfd, or -1 with errno. name: for people. */
int chainsi_sealed_create(const char *name, size_t size, const void *head, size_t head_size);
/* Maps it to be read and written; NULL if fd is no memory of that size with that word. fd stays the caller's and
 * may be closed at once. */
void *chainsi_sealed_map(int fd, size_t size, uint64_t word);

#endif
