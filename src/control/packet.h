/* Packets over a SOCK_SEQPACKET pair between processes of the daemon, with descriptors beside them; and files in
 * memory for what is too large for one. Any thread. */
#ifndef CHAINSI_CONTROL_PACKET_H
#define CHAINSI_CONTROL_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { CHAINSI_PACKET_MOST_FDS = 2 };

/* Sends one, with copies of descriptors. Doesn't block on a non-blocking socket. False: errno. */
bool chainsi_packet_send(int socket, const void *data, size_t size, const int *fds,
                         size_t fd_count);
/* Receives one of at most `room` bytes; fds gets the descriptors, CLOEXEC and the caller's, or -1. Its size, or 0
 * at the end (the other process is gone), or -1: errno, EBADMSG for one that is too large. */
ssize_t chainsi_packet_receive(int socket, void *data, size_t room,
                               int fds[CHAINSI_PACKET_MOST_FDS]);
/* Closes those of them that there are. */
void chainsi_packet_close(const int fds[CHAINSI_PACKET_MOST_FDS]);

/* A memfd with these bytes, one piece behind the other, CLOEXEC; name: for people. The caller closes it. -1: errno. */
int chainsi_packet_file(const char *name, const struct iovec *parts, size_t count);

#endif
