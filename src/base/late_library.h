/* Says in the program itself which libraries it opens while it runs, so that whoever packs it finds them: notes as the
 * systemd project specifies them (ELF_DLOPEN_METADATA), which other packaging tools read as well. Their bytes are in no page
 * that a running program touches. */
#ifndef CHAINSI_BASE_LATE_LIBRARY_H
#define CHAINSI_BASE_LATE_LIBRARY_H

#include <stdalign.h>
#include <stdint.h>

#define CHAINSI_LATE_NOTE_OWNER "FDO"
#define CHAINSI_LATE_NOTE_TYPE  UINT32_C(0x407c0c0a)

/* At file scope. priority_: "required", "recommended" (it does less without), "suggested" (few need it). feature_: what it is
 * for, a word by which it is asked for; soname_: "libcurl.so.4". All are literals. */
#define CHAINSI_LATE_LIBRARY(name_, feature_, description_, priority_, soname_)                    \
    CHAINSI_LATE_NOTE(name_, "[{\"feature\":\"" feature_ "\",\"description\":\"" description_      \
                             "\",\"priority\":\"" priority_ "\",\"soname\":[\"" soname_ "\"]}]")
#define CHAINSI_LATE_NOTE(name_, json_)                                                            \
    __attribute__((used, section(".note.dlopen"))) alignas(uint32_t) static const struct {         \
        uint32_t owner_size, text_size, type;                                                      \
        char owner[sizeof CHAINSI_LATE_NOTE_OWNER];                                                \
        alignas(uint32_t) char text[sizeof(json_)];                                                \
    } name_ = { sizeof CHAINSI_LATE_NOTE_OWNER, sizeof(json_), CHAINSI_LATE_NOTE_TYPE,             \
                CHAINSI_LATE_NOTE_OWNER, json_ }

#endif
