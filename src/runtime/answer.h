/* The body of an answer: null for a method without outputs, the bare value of a single one, else an
 * object by name. */
#ifndef CHAINSI_RUNTIME_ANSWER_H
#define CHAINSI_RUNTIME_ANSWER_H

#include "base/attachments.h"
#include "base/buffer.h"
#include "runtime/glue.h"
#include "schema/codec.h"

/* Appends the outputs, a struct of interface->output. Failures as of the codec. */
chains_status chainsi_answer_encode(const chainsi_interface *interface, const void *outputs,
                                    bool msgpack, chainsi_buffer *out, chainsi_codec_error *error);
/* Appends the gathered answer of a method with a stream, `{"<its name>": [items…], outputs…}`. items:
 * `count` encoded items one behind the other, in JSON with commas between them. */
chains_status chainsi_answer_gather(const chainsi_interface *interface, const chainsi_buffer *items,
                                    size_t count, const void *outputs, bool msgpack,
                                    chainsi_buffer *out, chainsi_codec_error *error);
/* Reads a body into such a struct, in place: body is written to, and must live as long as what is
 * decoded. */
chains_status chainsi_answer_decode(const chainsi_interface *interface, char *body, size_t size,
                                    bool msgpack, chainsi_arena *arena, void *outputs,
                                    chainsi_codec_error *error);

/* The same in MessagePack between processes of one machine: large values go beside the body, as in
 * chainsi_msgpack_encode_shared and chainsi_msgpack_decode_shared. */
chains_status chainsi_answer_encode_shared(const chainsi_interface *interface, const void *outputs,
                                           chainsi_buffer *out, chainsi_attachments *attachments,
                                           chainsi_codec_error *error);
chains_status chainsi_answer_decode_shared(const chainsi_interface *interface, char *body,
                                           size_t size, chainsi_attachments *attachments,
                                           chainsi_arena *arena, void *outputs,
                                           chainsi_codec_error *error);

#endif
