/* SQLite takes paths of 511 bytes, CHAINS_HOME may be as long as the system allows. A file with a longer
 * path is opened by way of its folder, /proc/self/fd/N/NAME, which SQLite calls it then; so are its log
 * and its index. */
#ifndef CHAINSI_CONTROL_LONG_PATH_H
#define CHAINSI_CONTROL_LONG_PATH_H

/* The name of the SQLite VFS that does that, and else is the system's own; for sqlite3_open_v2. Each folder
 * of a long path keeps a descriptor as long as the process lives. Any thread. */
const char *chainsi_long_path_vfs(void);

#endif
