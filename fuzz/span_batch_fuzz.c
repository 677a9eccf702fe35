/* What a controller may be told of spans by whoever answers at a pod's address: read in full, whatever it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/span_batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    chainsi_span_batch batch;
    chainsi_span span;
    char why[256];
    if (!chainsi_span_batch_open(&batch, data, size, why, sizeof why))
        return 0;
    uint32_t spans = 0;
    while (chainsi_span_batch_next(&batch, &span)) {
        const char *const texts[] = { span.chainlet,  span.callee, span.request_id,
                                      span.raised_by, span.file,   span.message };
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            if (strlen(texts[i]) >= sizeof batch.record)
                abort();
        if (++spans > batch.head.count)
            abort();
    }
    return 0;
}
