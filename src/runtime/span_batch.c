/* Numbers that are handed out have 23 bits of the process in front of 40 of the ring's: so what was read of
 * another process isn't taken for having been read of this one, and nobody who asks has to know of either.
 *
 * One reader is kept: what a ring's reader learns of records that are being written takes several rounds
 * (base/ring.h), whoever asks for them. */
#include "runtime/span_batch.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "records are copied as they are: on such a machine their bytes had to be swapped"
#endif

enum { NUMBER_BITS = 40, PROCESS_BITS = 23 };
#define NUMBERS (UINT64_C(1) << NUMBER_BITS)

static const char magic[8] = "ChSpans";
_Static_assert(sizeof(chainsi_span_batch_head) == 48, "no padding");

static size_t padded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static uint64_t choose_process(void)
{
    uint64_t process = 0;
    if (getrandom(&process, sizeof process, GRND_NONBLOCK) != sizeof process)
        process = (uint64_t)chainsi_now_ns();
    process &= (UINT64_C(1) << PROCESS_BITS) - 1;
    return process ? process : 1;
}

static int64_t read_unix_offset_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - chainsi_now_ns();
}

/* Has the reader go on from there, or begin, if that is no number of this process. */
static void go_to(chainsi_span_teller *teller, uint64_t after)
{
    chainsi_ring_reader oldest;
    chainsi_ring_start(teller->ring, &oldest);
    teller->reader.next = after >> NUMBER_BITS == teller->process ? after % NUMBERS : oldest.next;
    teller->reader.lost = 0;
}

uint64_t chainsi_span_batch_write(chainsi_span_teller *teller, uint64_t after, chainsi_buffer *out)
{
    static const char zeros[8] = { 0 };
    chainsi_span_record record;
    chainsi_span_batch_head head = {
        .version = CHAINSI_SPAN_BATCH_VERSION,
        .record_size = sizeof record,
        .unix_offset_ns = read_unix_offset_ns(),
    };
    memcpy(head.magic, magic, sizeof magic);
    const size_t head_at = out->size;
    chainsi_buffer_add(out, &head, sizeof head);
    pthread_mutex_lock(&teller->lock);
    if (!teller->process)
        teller->process = choose_process();
    go_to(teller, after);
    chainsi_ring_begin(teller->ring, &teller->reader, chainsi_now_ns());
    size_t size;
    while (head.count < CHAINSI_SPAN_BATCH_MOST &&
           (size = chainsi_ring_next(teller->ring, &teller->reader, record.words))) {
        const uint32_t prefix[2] = { (uint32_t)size, 0 };
        chainsi_buffer_add(out, prefix, sizeof prefix);
        chainsi_buffer_add(out, record.bytes, size);
        chainsi_buffer_add(out, zeros, padded(size) - size);
        head.count++;
    }
    if (head.count == CHAINSI_SPAN_BATCH_MOST)
        head.left = (uint32_t)(teller->reader.end - teller->reader.next);
    head.lost = teller->reader.lost;
    const uint64_t next = teller->process << NUMBER_BITS | teller->reader.next % NUMBERS;
    pthread_mutex_unlock(&teller->lock);
    memcpy((char *)out->data + head_at, &head, sizeof head);
    return next;
}

bool chainsi_span_batch_open(chainsi_span_batch *batch, const void *body, size_t size, char *why,
                             size_t why_size)
{
    chainsi_span_batch_head head;
    if (size < sizeof head || memcmp(body, magic, sizeof magic) != 0) {
        snprintf(why, why_size, "these are no spans");
        return false;
    }
    memcpy(&head, body, sizeof head);
    if (head.version != CHAINSI_SPAN_BATCH_VERSION ||
        head.record_size != sizeof(chainsi_span_record)) {
        snprintf(why, why_size,
                 "spans of version %u with records of %u bytes, and this release reads version %d "
                 "with %zu",
                 head.version, head.record_size, CHAINSI_SPAN_BATCH_VERSION,
                 sizeof(chainsi_span_record));
        return false;
    }
    batch->head = head;
    batch->at = (const char *)body + sizeof head;
    batch->left = size - sizeof head;
    batch->taken = 0;
    return true;
}

/* Copies the next record; its size, or 0: there is none. */
static size_t take_record(chainsi_span_batch *batch)
{
    uint32_t prefix[2];
    if (batch->taken == batch->head.count || batch->left < sizeof prefix)
        return 0;
    memcpy(prefix, batch->at, sizeof prefix);
    const size_t size = prefix[0];
    if (!size || size > sizeof batch->record || batch->left - sizeof prefix < padded(size))
        return 0;
    memcpy(batch->record.bytes, batch->at + sizeof prefix, size);
    batch->at += sizeof prefix + padded(size);
    batch->left -= sizeof prefix + padded(size);
    batch->taken++;
    return size;
}

bool chainsi_span_batch_next(chainsi_span_batch *batch, chainsi_span *span)
{
    size_t size;
    while ((size = take_record(batch))) {
        if (chainsi_span_unpack(span, &batch->record, size))
            return true;
        batch->head.lost++;
    }
    batch->head.lost += batch->head.count - batch->taken; /* what was cut off */
    batch->taken = batch->head.count;
    return false;
}
