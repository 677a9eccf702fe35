/* Programs of the system that do a part of the work. */
#ifndef CHAINSI_IMAGE_TOOL_H
#define CHAINSI_IMAGE_TOOL_H

#include "base/buffer.h"
#include "image/problem.h"

/* Runs words[0] (looked for in PATH) to its end, with nothing on stdin, and has what it says on stdout and stderr
 * together in out. True: it ended with status 0. Else *problem is set: that it is missing (hint: the Debian package
 * `package`), or the last line that it said; `doing` begins the message: "can't unpack 'x.deb'". Blocks. */
bool chainsi_tool_run(const char *const *words, const char *package, const char *doing,
                      chainsi_buffer *out, chainsi_problem *problem);

#endif
