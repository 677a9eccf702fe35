/* Errors on contexts: recording, passing on, and adding the hops of their way. */
#ifndef CHAINSI_RUNTIME_ERROR_H
#define CHAINSI_RUNTIME_ERROR_H

#include "runtime/context.h"
#include "runtime/glue.h"
#include "schema/codec.h"

/* Records an error that was not raised in the author's code: one hop, that says message. path may
 * be NULL. Returns status. */
chains_status chainsi_error_set(chains_ctx *ctx, chains_status status, const char *chainlet,
                                const char *function, const char *path, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* As above, placed at the declaration of the method that refuses the call. A path of "" is none. */
chains_status chainsi_error_at_declaration(chains_ctx *ctx, const chainsi_interface *interface,
                                           chains_status status, const char *path,
                                           const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Wrong arguments of a call, as a check or an encoder found them: INVALID_ARGUMENT with their
 * path, placed at the method's declaration. */
chains_status chainsi_error_argument(chains_ctx *ctx, const chainsi_interface *interface,
                                     const chainsi_codec_error *why);
/* As above, of a body that was decoded: the message names the byte. */
chains_status chainsi_error_body(chains_ctx *ctx, const chainsi_interface *interface,
                                 const chainsi_codec_error *why);
/* Outputs that can't be sent: INTERNAL. */
chains_status chainsi_error_answer(chains_ctx *ctx, const chainsi_interface *interface,
                                   const chainsi_codec_error *why);
/* Records a copy of an error of elsewhere, as the outcome of a call that was made with ctx. Returns
 * its status. */
chains_status chainsi_error_pass(chains_ctx *ctx, const chains_error *error);
/* Settles the error of ctx after the method described by `interface` has returned status with it:
 * makes one if the method recorded none, and puts the method's own hop in front if the error came
 * from a call that it made. Returns the status that travels: what stopped at the deadline says so,
 * even if the author could only tell that it should stop, and a number that is no status is
 * UNKNOWN. */
chains_status chainsi_error_settle(chains_ctx *ctx, chains_status status,
                                   const chainsi_interface *interface);
/* As above for another method than run_remote: "run_batch". */
chains_status chainsi_error_settle_of(chains_ctx *ctx, chains_status status,
                                      const chainsi_interface *interface, const char *method);
/* The ctx on which this thread recorded a failure last; NULL: none since it left its last call. */
const chains_ctx *chainsi_error_last_on_thread(void);
/* Makes the latest failure with this status the ctx's error again, if a later one (of a call that
 * cleans up, say) took its place. False if there was none. */
bool chainsi_error_recall(chains_ctx *ctx, chains_status status);
/* Copies the error of `from` to `to` (a gather's parent), keeping whether it was raised there.
 * Memory is copied. */
void chainsi_error_move(chains_ctx *to, const chains_ctx *from);
/* No error is recorded on ctx any more, and this thread's CHAINS_TRY won't note its place there. */
void chainsi_error_forget(chains_ctx *ctx);
/* As above for what CHAINS_TRY notes only: the thread goes on to other work. */
void chainsi_error_leave_thread(void);

/* The error body {"error": {...}} in JSON or MessagePack, appended to out. */
struct chainsi_buffer;
void chainsi_error_encode(const chains_error *error, const char *request_id, bool msgpack,
                          struct chainsi_buffer *out);
/* Reads such a body into memory of arena. False if it is none (a foreign error). */
bool chainsi_error_decode(const char *body, size_t size, bool msgpack, chainsi_arena *arena,
                          chains_error *error);

#endif
