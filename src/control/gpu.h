/* The machine's GPUs, and who has which.
 *
 * A GPU is given whole, to one replica: `.gpu = "A10G:2"` gives each replica of the Chainlet two of that
 * kind, and nobody else sees them (CUDA_VISIBLE_DEVICES). A kind is a word of the device's name, in
 * any case: "A10G", "a100" and "A100-SXM4-40GB" (of "NVIDIA A100-SXM4-40GB"); or "any".
 *
 * Finding asks the driver's library and takes some hundred milliseconds the first time; the rest are pure
 * functions of what was found. Instances of a GPU that was cut into some (MIG) aren't given singly. */
#ifndef CHAINSI_CONTROL_GPU_H
#define CHAINSI_CONTROL_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

enum {
    CHAINSI_GPU_TEXT = 96,   /* what NVML's names and UUIDs need */
    CHAINSI_GPU_MOST = 1024, /* of a machine */
};

typedef struct chainsi_gpu {
    char name[CHAINSI_GPU_TEXT]; /* "NVIDIA A10G" */
    char uuid[CHAINSI_GPU_TEXT]; /* "GPU-…"; "": the driver doesn't tell */
    unsigned index;              /* in the order of PCI addresses */
    uint64_t memory_bytes;       /* 0: not told */
} chainsi_gpu;

typedef struct chainsi_gpus {
    chainsi_gpu *items; /* owned */
    size_t count;
    char why[256]; /* of none: why, without a stop */
} chainsi_gpus;

/* Where to look. */
typedef struct chainsi_gpu_sources {
    const char *nvml;    /* the library to load; NULL: this program has its functions itself */
    const char *folder;  /* what the driver has in /proc, if there is no library */
    const char *visible; /* the daemon's own CUDA_VISIBLE_DEVICES: it gives no others away; NULL:
                            all are its */
} chainsi_gpu_sources;

/* Those of this machine and of this process. */
chainsi_gpu_sources chainsi_gpu_own_sources(void);

/* Finds what there is. Blocks. Call done on the result. */
void chainsi_gpus_find(const chainsi_gpu_sources *sources, chainsi_gpus *gpus);
void chainsi_gpus_done(chainsi_gpus *gpus);

/* Leaves those that a CUDA_VISIBLE_DEVICES names, in its order: by number or by the beginning of the
 * UUID, up to the first entry that names none, as CUDA reads it. Pure; find calls it. */
void chainsi_gpus_leave_visible(chainsi_gpus *gpus, const char *visible);
/* Reads a file /proc/driver/nvidia/gpus/…/information. False: no name is in it. Pure; likewise. */
bool chainsi_gpu_read_information(const char *text, chainsi_gpu *gpu);

/* Whether the device is of the kind. */
bool chainsi_gpu_is(const chainsi_gpu *gpu, const char *kind);

/* What one replica asks for. */
typedef struct chainsi_gpu_request {
    const char *owner; /* the replica, as messages are to name it: "poem/phi_llm 0"; unique */
    const char *kind;
    size_t count; /* at least 1 */
} chainsi_gpu_request;

/* Reads "KIND" or "KIND:COUNT"; kind gets KIND. False: it is neither. Pure. */
bool chainsi_gpu_read_request(const char *text, char kind[CHAINSI_GPU_TEXT], size_t *count);

/* Gives all requests devices that are free, or none of them any: owners has an entry a device, NULL for
 * one that is free, else who has it; the entries become the requests' owners (the pointers), and are
 * untouched on failure. If it can be done at all, it is: a request for any device doesn't take
 * the only one that another can use. The devices of one request are all of one name, if every request
 * can have it so. False with a reason that says what there is, or by whom it is taken, and what to do
 * instead. */
bool chainsi_gpus_assign(const chainsi_gpus *gpus, const char **owners,
                         const chainsi_gpu_request *requests, size_t request_count, char *why,
                         size_t why_size);
/* Takes all devices of the owner back. */
void chainsi_gpus_release(const chainsi_gpus *gpus, const char **owners, const char *owner);

/* Adds what a process that is to see the owner's devices, and no others, needs in its environment:
 * entries "NAME=value", each with a NUL behind it; returns how many. Of an owner without devices
 * the process sees none. */
size_t chainsi_gpus_environment(const chainsi_gpus *gpus, const char *const *owners,
                                const char *owner, chainsi_buffer *entries);

#endif
