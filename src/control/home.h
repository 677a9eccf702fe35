/* CHAINS_HOME: the folder that holds all that a daemon keeps, and how the command line finds the
 * daemon.
 *
 *   pid                       the process number of the daemon (of its keeper); both of its
 *                             processes hold a lock on this file as long as they live (an open-file
 *                             lock)
 *   address                   http://127.0.0.1:PORT or https://…, one line; written when the daemon answers,
 *                             until it is told to end
 *   certificate               the SHA-256 of the certificate that it speaks TLS with, in hex, as long as the
 *                             address; there is none while it speaks plain HTTP
 *   started                   how the daemon was started, until it is told to end (start_note.h); mode 0600
 *   token                     proves to the daemon that its own user asks for changes; mode 0600
 *   state.db                  the state (store.h), with its log in state.db-wal and the log's index
 *                             in state.db-shm; state.lock is locked by who has it open
 *   state.place               where the state is instead, when that is a server's database (store.h)
 *   state.backup.db(.1)       its backups (backup.h). Of these there are none where the state is on a server
 *                             (state_place.h); keys may come from elsewhere, too (shared_keys.h)
 *   secret.key                with which secrets are sealed (sealing.h); mode 0600
 *   webhook.key               with which webhooks are signed (webhooks.h); mode 0600
 *   chainsd.log               what a daemon in the background says
 *   chains/CHAIN/VERSION/     the binaries of that version
 *   logs/CHAIN/CHAINLET.log   what its replicas say (log_line.h)
 *   run/                      sockets; emptied when a keeper starts
 *   cgroups                   the folders of cgroups.h, a line each
 *
 * Functions here block for as long as files take. Any thread. */
#ifndef CHAINSI_CONTROL_HOME_H
#define CHAINSI_CONTROL_HOME_H

#include <stdbool.h>
#include <stddef.h>

enum { CHAINSI_TOKEN_SIZE = 32 /* hex digits */ };

/* The folder: $CHAINS_HOME, else $XDG_DATA_HOME/chains, else ~/.local/share/chains; absolute. The
 * caller frees it. NULL with a reason when none of these is set. */
char *chainsi_home_find(char *why, size_t why_size);

/* A path below the folder, as by printf. Never NULL; the caller frees it. */
char *chainsi_path(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The path from the root, without slashes at its end; the caller frees it. NULL: errno. */
char *chainsi_absolute_path(const char *path);

/* Makes the folder (0700) with those above it. False with a reason. */
bool chainsi_home_make(const char *home, char *why, size_t why_size);

/* Takes the lock; it ends when the descriptor is closed, at the latest with the process. -1 with a
 * reason if another daemon has it. */
int chainsi_home_lock(const char *home, char *why, size_t why_size);
/* Goes on with a lock that another process of the daemon took, as its new owner. False with a reason if
 * the descriptor isn't that. */
bool chainsi_home_keep_lock(const char *home, int lock, char *why, size_t why_size);
/* The process that holds the lock; 0 if none does. */
long chainsi_home_owner(const char *home);

/* Writes or reads the daemon's address; size of the buffer in bytes. False: errno. */
bool chainsi_home_write_address(const char *home, const char *url);
bool chainsi_home_read_address(const char *home, char *url, size_t size);
/* So that nobody takes the address of an earlier daemon for this one's. */
void chainsi_home_forget_address(const char *home);

/* The same for the digest of its certificate. */
bool chainsi_home_write_certificate(const char *home, const char *digest);
bool chainsi_home_read_certificate(const char *home, char *digest, size_t size);
void chainsi_home_forget_certificate(const char *home);

/* Reads the token, after making one where there is none and make says so. False: errno. */
bool chainsi_home_token(const char *home, bool make, char token[CHAINSI_TOKEN_SIZE + 1]);

/* Reads the key with which webhooks are signed, as long as a token, after making one where there is none. False:
 * errno. */
bool chainsi_home_webhook_key(const char *home, char key[CHAINSI_TOKEN_SIZE + 1]);

/* Makes a folder (0700) and those above it that are missing. False: errno. */
bool chainsi_make_folders(const char *path);
/* Removes a file, or a folder with all below it, without following links. False: errno of the first
 * thing that stayed. What does not exist is removed. */
bool chainsi_remove_tree(const char *path);
/* Replaces a file's contents so that a reader, or a crash at any moment, finds the old or the new
 * whole. False: errno. */
bool chainsi_write_file(const char *path, const void *data, size_t size);
/* Gives a file that is on the disk another's name, whose contents it replaces; the name is on the disk
 * afterwards. False: errno. */
bool chainsi_replace_file(const char *from, const char *to);
/* The whole file with a NUL behind it, at most max_size bytes (EFBIG). The caller frees it. NULL:
 * errno. */
char *chainsi_read_file(const char *path, size_t max_size, size_t *size);

#endif
