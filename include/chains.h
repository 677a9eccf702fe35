/**
 * chains.h: what the author of a Chainlet may call.
 *
 * A Chainlet is a typed service: a header that declares it (CHAINLET, `name_new`,
 * `name_run_remote`, `name_free`) and a source that defines those functions. Chainlets call each
 * other as plain C functions; whether such a call stays in the process, goes to another process or
 * to a fake is decided when the program is linked.
 *
 * Conventions of this header
 *   Status    Fallible functions return a chains_status; CHAINS_OK is 0. Outputs are written on
 *             success only.
 *   Memory    What a function hands out lives as long as the chains_ctx that it was given, and is
 *             freed with it. There is nothing for the author to free. Allocation never returns
 *             NULL: a process that is out of memory ends.
 *   Threads   A chains_ctx belongs to the thread that runs the call it was made for. Only
 *             chains_cancelled, chains_remaining_ms and chains_log may be called with it from other
 *             threads. The exception is the ctx given to `name_new`, which may be kept in `self`
 *             and used by all calls at once.
 *   Blocking  Functions that wait say so. All others return at once.
 *   NULL      No pointer argument may be NULL unless its description says what NULL means.
 *   Names     What ends in an underscore is used by the macros here and may change; do not write it
 *             yourself.
 *
 * The header is C11 with GNU attributes, and C++11 or later. In C++ include Chainlet headers inside
 * extern "C" { }.
 */
#ifndef CHAINS_H
#define CHAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define CHAINS_UNUSED_                    __attribute__((unused))
#define CHAINS_PRINTF_(text_at, first_at) __attribute__((format(printf, text_at, first_at)))
#define CHAINS_MALLOC_                    __attribute__((malloc, returns_nonnull))
#else
#error "chains.h needs a compiler with GNU attributes: gcc, clang, or nvcc on top of one of them"
#endif

/* Annotations are read by `chains` through clang; other compilers see nothing. */
#ifdef __clang__
#define CHAINS_ANNOTATE_(text) __attribute__((annotate("chains:" text)))
#else
#define CHAINS_ANNOTATE_(text)
#endif

/* ----------------------------------------------------------------------------------------------
 * status and errors */

/** How a call ended. The codes and their numbers are gRPC's canonical ones (google.rpc.Code). */
typedef enum chains_status {
    CHAINS_OK = 0,                 /**< It succeeded. */
    CHAINS_CANCELLED = 1,          /**< The caller left, or no longer wants the answer. HTTP 499. */
    CHAINS_UNKNOWN = 2,            /**< A failure that says nothing about itself. HTTP 500. */
    CHAINS_INVALID_ARGUMENT = 3,   /**< The arguments can never work. HTTP 400. */
    CHAINS_DEADLINE_EXCEEDED = 4,  /**< Time ran out. HTTP 504. */
    CHAINS_NOT_FOUND = 5,          /**< What was asked for does not exist. HTTP 404. */
    CHAINS_ALREADY_EXISTS = 6,     /**< What was to be made exists. HTTP 409. */
    CHAINS_PERMISSION_DENIED = 7,  /**< The caller is known and may not do this. HTTP 403. */
    CHAINS_RESOURCE_EXHAUSTED = 8, /**< A queue, a quota or memory is full. HTTP 429. */
    CHAINS_FAILED_PRECONDITION = 9, /**< The state of the system must change first. HTTP 400. */
    CHAINS_ABORTED = 10, /**< A conflict with another call; starting over may help. HTTP 409. */
    CHAINS_OUT_OF_RANGE = 11,  /**< Past the end of what there is. HTTP 400. */
    CHAINS_UNIMPLEMENTED = 12, /**< Not offered. HTTP 501. */
    CHAINS_INTERNAL = 13,      /**< A broken invariant: a bug. HTTP 500. */
    CHAINS_UNAVAILABLE =
        14, /**< The service cannot be reached now; trying again may help. HTTP 503. */
    CHAINS_DATA_LOSS = 15,      /**< Data is lost or damaged for good. HTTP 500. */
    CHAINS_UNAUTHENTICATED = 16 /**< The caller did not prove who it is. HTTP 401. */
} chains_status;

/** The name of a status without its prefix, such as "NOT_FOUND"; "UNKNOWN" for a number that is
 * none. A constant. */
const char *chains_status_name(chains_status status);

/** The context of one call: its memory, deadline, cancellation, request id, trace, secrets, assets
 * and log. */
typedef struct chains_ctx chains_ctx;

/** One hop of an error's way: where it was raised, or where the call that failed was made. */
typedef struct chains_trace_entry {
    const char *chainlet; /**< The Chainlet's name on the wire; "" in a program's own code. */
    const char *function; /**< The function. */
    const char *file;     /**< The source file as the compiler was told it. */
    int line;             /**< The line, from 1; 0 where it is not known. */
    const char *message;  /**< What this hop has to say; "" when it only passes the error on. */
} chains_trace_entry;

/** An error with its way through the processes. */
typedef struct chains_error {
    chains_status status; /**< Never CHAINS_OK. */
    const char *message;  /**< One sentence for a person; never NULL. */
    const char
        *path; /**< For bad arguments the one that is bad, such as "messages[3].role"; else NULL. */
    const chains_trace_entry
        *trace; /**< From the entrypoint inwards: the last one is where the error was raised. */
    size_t trace_count; /**< How many hops. */
} chains_error;

/**
 * Records a failure on ctx and returns its status, so that
 * `return chains_fail(ctx, CHAINS_NOT_FOUND, "no %s", name);` leaves a method. In `name_new` write
 * `chains_fail(...); return NULL;`. The first failure recorded on a ctx is the one that travels;
 * later ones of the same call replace it only if it was taken care of (the method went on and
 * failed for another reason). Does not block.
 *   status  any but CHAINS_OK (taken for CHAINS_INTERNAL)
 *   ...     a printf format and its arguments: one sentence for the caller
 */
#define chains_fail(ctx, status, ...)                                                              \
    chains_fail_((ctx), (status), __FILE__, __LINE__, __func__, __VA_ARGS__)

/** Runs an expression that gives a chains_status; on failure notes this place in the error's trace
 * and returns the status. */
#define CHAINS_TRY(...)                                                                            \
    do {                                                                                           \
        chains_status chains_try_status_ = (__VA_ARGS__);                                          \
        if (chains_try_status_ != CHAINS_OK)                                                       \
            return chains_passed_(chains_try_status_, __FILE__, __LINE__, __func__);               \
    } while (0)

/**
 * The last failure on ctx: of a call that was made with it, or recorded by chains_fail. NULL if
 * there was none. Lives until the next failure on the same ctx, or as long as ctx.
 */
const chains_error *chains_last_error(const chains_ctx *ctx);

chains_status chains_fail_(chains_ctx *ctx, chains_status status, const char *file, int line,
                           const char *function, const char *format, ...) CHAINS_PRINTF_(6, 7);
chains_status chains_passed_(chains_status status, const char *file, int line,
                             const char *function);

/* ----------------------------------------------------------------------------------------------
 * memory */

/** Memory of size bytes, zeroed and aligned for any type, that lives as long as ctx. Never NULL. A
 * size of 0 gives a pointer that may not be read. */
void *chains_alloc(chains_ctx *ctx, size_t size) CHAINS_MALLOC_;

/** A text made as by printf, that lives as long as ctx. Never NULL. */
char *chains_printf(chains_ctx *ctx, const char *format, ...) CHAINS_PRINTF_(2, 3);

/** A copy of a text that lives as long as ctx. NULL gives NULL. */
char *chains_strdup(chains_ctx *ctx, const char *text);

/**
 * Appends an item to a list: `chains_push(ctx, &list, item)`. The list may come from anywhere
 * (name_new, an input, an array of one's own): where there is no room behind its items they are
 * copied to memory of ctx first, so an array that was handed in is not written to. Constant time on
 * average. Evaluates `list` more than once.
 */
#define chains_push(ctx, list, ...)                                                                \
    ((list)->items = (__typeof__((list)->items))chains_grow_((ctx), (list)->items, (list)->count,  \
                                                             sizeof *(list)->items),               \
     (void)((list)->items[(list)->count++] = (__VA_ARGS__)))

void *chains_grow_(chains_ctx *ctx, const void *items, size_t count, size_t item_size);
void *chains_array_(chains_ctx *ctx, size_t count, size_t item_size) CHAINS_MALLOC_;
size_t chains_find_(const void *entries, size_t count, size_t entry_size, const char *key);

/* ----------------------------------------------------------------------------------------------
 * types */

/** Bytes that are no text. Base64 in JSON, raw in MessagePack. data may be NULL when size is 0. */
typedef struct chains_bytes {
    const void *data; /**< Not owned. */
    size_t size;      /**< In bytes. */
} chains_bytes;

/** One JSON value of any shape, as text: valid UTF-8 and valid JSON. Decoded ones end in a NUL
 * beyond size. */
typedef struct chains_json {
    const char *text; /**< Not owned. */
    size_t size;      /**< In bytes, without a NUL. */
} chains_json;

/** What the elements of a tensor are. Sizes in bytes are those of the names. */
typedef enum chains_dtype {
    CHAINS_FLOAT32 = 1,
    CHAINS_FLOAT64,
    CHAINS_FLOAT16, /**< IEEE 754 binary16. */
    CHAINS_INT8,
    CHAINS_INT16,
    CHAINS_INT32,
    CHAINS_INT64,
    CHAINS_UINT8,
    CHAINS_UINT16,
    CHAINS_UINT32,
    CHAINS_UINT64,
    CHAINS_BOOL /**< One byte, 0 or 1. */
} chains_dtype;

/** An n-dimensional array in C order, little-endian. On the wire the forms of numpy and
 * msgpack-numpy. */
typedef struct chains_tensor {
    chains_dtype dtype;   /**< What an element is. */
    const int64_t *shape; /**< rank extents, each at least 0. NULL if rank is 0. Not owned. */
    size_t rank;          /**< The number of dimensions; 0 is a single element. */
    const void *data; /**< The product of shape times the element's size in bytes; aligned for the
                         element. Not owned. */
} chains_tensor;

/** The size in bytes of one element; 0 for a number that is no dtype. */
size_t chains_dtype_size(chains_dtype dtype);

/**
 * Declares a list type: `CHAINS_LIST(phi_message, phi_messages);` is `struct phi_messages {
 * phi_message *items; size_t count; }`, and `phi_messages_new(ctx, count)`, which gives count
 * zeroed items that live as long as ctx. Lists grow by chains_push. T is any type that travels,
 * other lists included.
 */
#define CHAINS_LIST(T, name)                                                                       \
    CHAINS_LIST_FORWARD(T, name);                                                                  \
    CHAINS_UNUSED_ static inline struct name name##_new(chains_ctx *ctx, size_t count)             \
    {                                                                                              \
        struct name chains_list_;                                                                  \
        chains_list_.items = (T *)chains_array_(ctx, count, sizeof(T));                            \
        chains_list_.count = count;                                                                \
        return chains_list_;                                                                       \
    }                                                                                              \
    struct name

/** The type of CHAINS_LIST alone, without name_new: for a list of a struct that is still to be
 * defined, such as a tree's children: `CHAINS_LIST_FORWARD(struct node, nodes); typedef struct node
 * { nodes children; } node;`. */
#define CHAINS_LIST_FORWARD(T, name)                                                               \
    struct CHAINS_ANNOTATE_("list") name {                                                         \
        T *items;                                                                                  \
        size_t count;                                                                              \
    };                                                                                             \
    typedef struct name name

/**
 * Declares a map type with text keys: `CHAINS_MAP(double, weights);` is `struct weights { struct
 * weights_entry { const char *key; double value; } *items; size_t count; }`, and
 *   weights weights_new(chains_ctx *ctx, size_t count)
 *       count entries to fill, keys NULL until then
 *   double *weights_get(const weights *map, const char *key)
 *       the value, inside the map; NULL if there is none
 *   void weights_put(chains_ctx *ctx, weights *map, const char *key, double value)
 *       sets or appends; key isn't copied
 * Entries keep the order in which they came. get and put look through all entries.
 */
#define CHAINS_MAP(T, name)                                                                        \
    struct name##_entry {                                                                          \
        const char *key;                                                                           \
        T value;                                                                                   \
    };                                                                                             \
    struct CHAINS_ANNOTATE_("map") name {                                                          \
        struct name##_entry *items;                                                                \
        size_t count;                                                                              \
    };                                                                                             \
    typedef struct name name;                                                                      \
    CHAINS_UNUSED_ static inline struct name name##_new(chains_ctx *ctx, size_t count)             \
    {                                                                                              \
        struct name chains_map_;                                                                   \
        chains_map_.items =                                                                        \
            (struct name##_entry *)chains_array_(ctx, count, sizeof(struct name##_entry));         \
        chains_map_.count = count;                                                                 \
        return chains_map_;                                                                        \
    }                                                                                              \
    CHAINS_UNUSED_ static inline T *name##_get(const struct name *map, const char *key)            \
    {                                                                                              \
        size_t chains_at_ =                                                                        \
            chains_find_(map->items, map->count, sizeof(struct name##_entry), key);                \
        return chains_at_ < map->count ? &map->items[chains_at_].value : NULL;                     \
    }                                                                                              \
    CHAINS_UNUSED_ static inline void name##_put(chains_ctx *ctx, struct name *map,                \
                                                 const char *key, T value)                         \
    {                                                                                              \
        T *chains_found_ = name##_get(map, key);                                                   \
        if (chains_found_) {                                                                       \
            *chains_found_ = value;                                                                \
            return;                                                                                \
        }                                                                                          \
        map->items = (struct name##_entry *)chains_grow_(ctx, map->items, map->count,              \
                                                         sizeof(struct name##_entry));             \
        map->items[map->count].key = key;                                                          \
        map->items[map->count].value = value;                                                      \
        map->count++;                                                                              \
    }                                                                                              \
    struct name

/**
 * Declares a stream type: `CHAINS_STREAM(const char *, tokens);` is `struct tokens { chains_status
 * (*emit)(struct tokens *, const char *item); void *user; }`. A method has at most one, as its last
 * parameter (`tokens *out`). The callee calls `CHAINS_TRY(out->emit(out, item))` for each item;
 * items are read before emit returns. The caller's emit runs as items come, one at a time, on the
 * thread that waits for the call; a failure that it returns ends the callee. A NULL stream drops
 * the items. `user` is the caller's, for its emit.
 */
#define CHAINS_STREAM(T, name)                                                                     \
    struct CHAINS_ANNOTATE_("stream") name {                                                       \
        chains_status (*emit)(struct name * stream, T item);                                       \
        void *user;                                                                                \
    };                                                                                             \
    typedef struct name name

/* ----------------------------------------------------------------------------------------------
 * what is said about a field, argument or enumerator */

/** The value when it is left out of JSON: `int top_k CHAINS_DEFAULT(40)`. A constant expression or
 * initializer of the type. */
#define CHAINS_DEFAULT(...) CHAINS_ANNOTATE_("default:" #__VA_ARGS__)
/** A pointer or text that may be absent, and is NULL then. */
#define CHAINS_OPTIONAL     CHAINS_ANNOTATE_("optional")
/** The least and the greatest value of a number, both allowed: `CHAINS_RANGE(0, 2)`. */
#define CHAINS_RANGE(...)   CHAINS_ANNOTATE_("range:" #__VA_ARGS__)
/** The least and the greatest length, both allowed: code points of text, bytes of chains_bytes,
 * items of lists and maps. */
#define CHAINS_LENGTH(...)  CHAINS_ANNOTATE_("length:" #__VA_ARGS__)
/** The only values allowed, of a text or a number: `CHAINS_ONE_OF("wav", "mp3")`. */
#define CHAINS_ONE_OF(...)  CHAINS_ANNOTATE_("one_of:" #__VA_ARGS__)
/** The name on the wire, where it should differ from the one in C. */
#define CHAINS_NAME(text)   CHAINS_ANNOTATE_("name:" #text)

/* ----------------------------------------------------------------------------------------------
 * Chainlets */

/** The options of a Chainlet. Zero is "unset" and means the default given here; -1 is none or
 * unlimited where that is sensible. Lists end at the first unset element. */
typedef struct chains_config {
    const char *name; /**< Name on the wire, in paths and on the page. Default: the C name. */
    bool entrypoint;  /**< This Chainlet is the one called from outside. */
    double cpu;       /**< Cores, fractions allowed. Default: no limit. */
    const char
        *memory;     /**< Hard limit as a Kubernetes quantity: "512Mi", "4Gi". Default: no limit. */
    const char *gpu; /**< "KIND" or "KIND:COUNT"; KIND is a word of the device's name, or "any".
                        Default: none. */
    int concurrency; /**< Slots: calls that a replica runs at once. Default 1, so that self needs no
                        lock. */
    const char *sources[32]; /**< More sources, relative to the header. */
    const char *cflags[32];  /**< Words for the compiler. */
    const char *libs[32];    /**< Words for the linker. */
    struct {
        const char
            *pkg_config[16]; /**< Libraries to compile and link with, by their pkg-config names. */
        const char *apt[32]; /**< Debian packages in the image; named in the hint when a build lacks
                                them. */
        const char
            *base; /**< The image's base: "debian:12-slim", "oci:/folder:name". Default: none. */
        const char *files[32]; /**< Files in the image, at the same relative path. */
    } image;                   /**< What the Chainlet needs around it. */
    struct {
        const char *name;    /**< The variable. */
        const char *value;   /**< Its value. */
    } env[32];               /**< Environment variables of the replica. */
    const char *secrets[16]; /**< Names of the secrets that chains_secret may read. */
    struct {
        const char *url;    /**< Where it is fetched from: http, https or file. */
        const char *sha256; /**< Its digest in hex; required. */
        const char *path;   /**< Its name for chains_asset. */
    } assets[16];           /**< Files that are fetched once, verified and shared. */
    struct {
        int min_replicas; /**< Default 0. */
        int max_replicas; /**< Default: the larger of 1 and min_replicas. */
        double
            concurrency_target; /**< Calls a replica that scaling aims at. Default: concurrency. */
        double target_utilization; /**< The share of it that scaling aims at. Default 0.7. */
        double window_s;           /**< Seconds that measurements are averaged over. Default 60. */
        double
            scale_down_delay_s; /**< Seconds before a replica too many is stopped. Default 300. */
        double scale_to_zero_delay_s; /**< Seconds from the last call to none. Default 900. */
    } autoscaling;                    /**< When replicas come and go. */
    struct {
        int max_size;    /**< Calls in a batch, 1024 at most. Default 1: no batching. */
        int max_wait_us; /**< Microseconds that the first waits for more. Default 0. */
    } batch;             /**< Calls that arrive together and run as one; see name_run_batch. */
    int max_queue;    /**< Waiting calls. Default: twice the slots of max_replicas, at least 64. */
    int64_t max_body; /**< Bytes of a request. Default 64 MiB. */
    double start_timeout_s;    /**< Seconds until ready. Default 600. */
    double progress_timeout_s; /**< Seconds without progress while calls run. Default: off. */
    double drain_timeout_s;    /**< Seconds for running calls to end. Default 30. */
    int abi_;
} chains_config;

/** The options of the calls that one Chainlet makes to another. Zero is "unset". */
typedef struct chains_depends_config {
    int retries;           /**< Attempts after the first. Default 0. */
    double timeout_ms;     /**< Milliseconds for one attempt, waiting included. Default: none. */
    int concurrency_limit; /**< Calls in flight from one process. Default 300. */
    double hedge_ms;       /**< Milliseconds after which a second attempt is sent beside the first.
                              Default: off. */
    bool idempotent;       /**< Running it twice does no harm: permits hedging, and one resend after
                              "maybe started". */
    double stream_gap_ms;  /**< Milliseconds between items of a stream at most. Default 60000. */
    bool colocate;         /**< In the caller's process; each caller has its own copy. */
    bool near;             /**< On the caller's node. */
    int abi_;
} chains_depends_config;

/** The options of a service that is deployed elsewhere. */
typedef struct chains_external_config {
    const char *name; /**< Its name in errors and metrics. Default: the C name. */
    const char *url;  /**< "http://host:port", "https://host" or "unix:/path". CHAINS_<NAME>_URL
                         overrides it. */
    const char *path; /**< Default "/run_remote". */
    const char *auth; /**< The scheme before the secret in Authorization, such as "Bearer". Default:
                         none is sent. */
    const char *secret; /**< The name of the secret that is sent. */
    int abi_;
} chains_external_config;

/**
 * Declares a Chainlet: `CHAINLET(phi_llm, .concurrency = 4);` is an opaque struct type and its
 * constant options, the fields of chains_config as designated initializers. Its functions are
 * declared by hand:
 *   phi_llm *phi_llm_new(chains_ctx *ctx, dependencies...)
 *       NULL after chains_fail; ctx lives until phi_llm_free returned
 *   chains_status phi_llm_run_remote(phi_llm *self, chains_ctx *ctx, inputs..., outputs...)
 *   void phi_llm_free(phi_llm *self)
 *   chains_status phi_llm_healthy(phi_llm *self, chains_ctx *ctx)
 *       may be left out; may run while calls run, on a thread of its own
 *   chains_status phi_llm_run_batch(phi_llm *self, chains_ctx *const calls[], size_t count, ...)
 *       may be left out; runs calls that arrived together. The parameters of run_remote, each as an
 *       array of count: `const T input[]`, `U output[]`. calls[i] is the ctx of the i-th call:
 *       chains_fail(calls[i], ...) fails that one alone, a failure that is returned fails every one
 *       not yet failed, and what output[i] points to comes from calls[i]
 */
#define CHAINLET(...)          CHAINLET_(__VA_ARGS__, .abi_ = 1)
/** Sets options of the calls from one Chainlet to another: `CHAINS_DEPENDS(poem_generator, phi_llm,
 * .retries = 3);`. */
#define CHAINS_DEPENDS(...)    CHAINS_DEPENDS_(__VA_ARGS__, .abi_ = 1)
/** Declares a service that is deployed elsewhere, called through `name_run_remote` like a Chainlet;
 * only that is declared. */
#define CHAINLET_EXTERNAL(...) CHAINLET_EXTERNAL_(__VA_ARGS__, .abi_ = 1)

#ifdef __cplusplus
#define CHAINLET_(name, ...)                 typedef struct name name
#define CHAINS_DEPENDS_(caller, callee, ...) struct caller
#define CHAINLET_EXTERNAL_(name, ...)        typedef struct name name
#else
#define CHAINLET_(name, ...)                                                                       \
    typedef struct name name CHAINS_ANNOTATE_("chainlet");                                         \
    static const chains_config name##_config_ CHAINS_UNUSED_ CHAINS_ANNOTATE_(                     \
        "config") = { __VA_ARGS__ }
#define CHAINS_DEPENDS_(caller, callee, ...)                                                       \
    static const chains_depends_config caller##_##callee##_depends_ CHAINS_UNUSED_                 \
        CHAINS_ANNOTATE_("depends:" #caller ":" #callee) = { __VA_ARGS__ }
#define CHAINLET_EXTERNAL_(name, ...)                                                              \
    typedef struct name name CHAINS_ANNOTATE_("external");                                         \
    static const chains_external_config name##_config_ CHAINS_UNUSED_ CHAINS_ANNOTATE_(            \
        "external_config") = { __VA_ARGS__ }
#endif

/* ----------------------------------------------------------------------------------------------
 * concurrency */

/**
 * A ctx whose calls are started and not waited for: each call made with it returns CHAINS_OK at
 * once, having read its inputs; its outputs are written by chains_wait. A gather that nobody waits
 * for is cancelled when ctx ends, and writes nothing. Use it from one thread. Lives as long as ctx.
 * In a program built by hand (without `chains`) the calls run at once, in order, and a failure
 * comes back at the call itself.
 */
chains_ctx *chains_gather(chains_ctx *ctx);
/** As chains_gather, but a failure doesn't cancel the other calls: chains_wait lets all finish. */
chains_ctx *chains_gather_all(chains_ctx *ctx);
/**
 * Waits until every call started with `all` has ended, writes the outputs of those that succeeded,
 * and returns the first failure in the order of starting (not one that was cancelled because of
 * another), recorded on the gather's parent. Blocks. Once per gather; a second wait returns the
 * same status.
 */
chains_status chains_wait(chains_ctx *all);
/** The status of the i-th call started with `all`, from 0, after chains_wait; CHAINS_OUT_OF_RANGE
 * if there is none. */
chains_status chains_result(const chains_ctx *all, size_t i);

/** One step of chains_each; child lives as long as chains_each's ctx and belongs to this step
 * alone. */
typedef chains_status (*chains_step)(chains_ctx *child, void *user, size_t i);
/**
 * Calls step(child, user, i) for every i below count, several at a time on threads of the library,
 * and waits for all. The first failure in the order of i is returned and cancels the rest; steps
 * not begun by then aren't run. Blocks. By hand the steps run in order, on the calling thread.
 */
chains_status chains_each(chains_ctx *ctx, size_t count, chains_step step, void *user);

/** What chains_spawn runs. */
typedef chains_status (*chains_function)(chains_ctx *child, void *argument);
/**
 * Starts function on a thread of the library as one of the calls of the gather `all`, with a copy
 * of the size bytes at argument (NULL if size is 0). Returns CHAINS_OK at once; chains_wait waits
 * for it. By hand it runs at once.
 */
chains_status chains_spawn(chains_ctx *all, chains_function function, const void *argument,
                           size_t size);

/** True once nobody wants the answer any more: the caller left, the deadline passed, a sibling
 * failed. From any thread. */
bool chains_cancelled(const chains_ctx *ctx);
/** Milliseconds until the deadline, at least 0; -1 if there is none. From any thread. */
int64_t chains_remaining_ms(const chains_ctx *ctx);
/** What chains_on_cancel runs. */
typedef void (*chains_cancel_function)(void *argument);
/**
 * Has function(argument) called once, on a thread of the library, when ctx is cancelled: the way to
 * stop a library that blocks. NULL takes the last one back, and waits for it if it is running at
 * that moment. Ends with ctx: it isn't called afterwards.
 */
void chains_on_cancel(chains_ctx *ctx, chains_cancel_function function, void *argument);

/* ----------------------------------------------------------------------------------------------
 * what surrounds a Chainlet */

/** How much a line of the log matters. */
typedef enum chains_log_level {
    CHAINS_DEBUG = 1,
    CHAINS_INFO,
    CHAINS_WARNING,
    CHAINS_ERROR
} chains_log_level;

/** Writes one line to the log, with the Chainlet's name and the request id. From any thread. */
void chains_log(const chains_ctx *ctx, chains_log_level level, const char *format, ...)
    CHAINS_PRINTF_(3, 4);
/** The value of a secret that the Chainlet names in .secrets; NULL after chains_fail if it doesn't,
 * or if it is not set. */
const char *chains_secret(chains_ctx *ctx, const char *name);
/** The file of an asset that the Chainlet names in .assets; NULL after chains_fail if it doesn't,
 * or if it is absent. */
const char *chains_asset(chains_ctx *ctx, const char *path);
/** Where this runs: "production" or another environment of a deployment, "local" otherwise. Never
 * NULL. */
const char *chains_environment(const chains_ctx *ctx);
/** The id of the request that this call belongs to; "" outside of one. Lives as long as ctx. */
const char *chains_request_id(const chains_ctx *ctx);

/* ----------------------------------------------------------------------------------------------
 * programs of one's own */

/** A secret for chains_open. */
typedef struct chains_secret_value {
    const char *name;  /**< Its name. */
    const char *value; /**< Its value. */
} chains_secret_value;

/** What chains_open may be told. Zero is "unset". */
typedef struct chains_options {
    const chains_secret_value
        *secrets;           /**< The secrets, up to one with a NULL name. Default: none. */
    const char *assets_dir; /**< The folder that holds assets by their paths. Default: what the
                               environment variable CHAINS_ASSETS_DIR says, else ".". */
    int64_t
        deadline_ms; /**< Milliseconds from now for everything done with the ctx. Default: none. */
    chains_log_level log_level; /**< The least that is written. Default CHAINS_INFO. */
    bool strict; /**< Local calls copy and guard their arguments, so that what would break in
                    deployment breaks now. Default: what the environment variable CHAINS_STRICT
                    says, else no. */
} chains_options;

/**
 * Begins a program that uses Chainlets: gives the ctx to make them with (`phi_llm_new(ctx)`) and to
 * call them with. options may be NULL: all defaults; it isn't kept. Never NULL: where an environment
 * variable (CHAINS_LOG_LEVEL, CHAINS_SECRETS_FD) can't be read, the program ends with status 2 and a
 * word on stderr. End with chains_close.
 */
chains_ctx *chains_open(const chains_options *options);
/** Frees ctx with everything that it handed out, after the Chainlets made with it were freed. NULL
 * is ignored. */
void chains_close(chains_ctx *ctx);

/* ----------------------------------------------------------------------------------------------
 * ready lists */

CHAINS_LIST(bool, chains_bool_list);
CHAINS_LIST(int8_t, chains_int8_list);
CHAINS_LIST(int16_t, chains_int16_list);
CHAINS_LIST(int32_t, chains_int32_list);
CHAINS_LIST(int64_t, chains_int64_list);
CHAINS_LIST(uint8_t, chains_uint8_list);
CHAINS_LIST(uint16_t, chains_uint16_list);
CHAINS_LIST(uint32_t, chains_uint32_list);
CHAINS_LIST(uint64_t, chains_uint64_list);
CHAINS_LIST(float, chains_float_list);
CHAINS_LIST(double, chains_double_list);
CHAINS_LIST(const char *, chains_string_list);
CHAINS_LIST(chains_bytes, chains_bytes_list);

#ifdef __cplusplus
}
#endif
#endif
