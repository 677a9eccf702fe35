/* What tests of those who send need: the courier, which is the daemon's program. */
#ifndef CHAINSI_CONTROL_COURIER_TEST_SUPPORT_H
#define CHAINSI_CONTROL_COURIER_TEST_SUPPORT_H

#include "control/courier.h"

#define COURIER_PROGRAM CHAINS_BINARY_DIR "/chainsd"

static inline chainsi_courier *new_courier(uv_loop_t *on)
{
    return chainsi_courier_usual(on, COURIER_PROGRAM);
}

#endif
