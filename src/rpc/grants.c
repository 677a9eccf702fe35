#include "rpc/grants.h"

enum { MOST_DIGITS = 9 };

bool chainsi_grants_is_want(const chainsi_http_request *request)
{
    return request->method == CHAINSI_HTTP_POST &&
           chainsi_slice_is(request->path, CHAINSI_GRANTS_PATH);
}

bool chainsi_grants_is_refusing(const chainsi_http_request *request)
{
    const chainsi_slice *busy = chainsi_http_find(&request->head, "X-Chains-Busy");
    return busy && chainsi_slice_is_case(*busy, "refuse");
}

void chainsi_grants_add(chainsi_buffer *headers, chainsi_grants_slots slots)
{
    chainsi_buffer_printf(headers, "X-Chains-Slots: %u/%u\r\n", slots.free, slots.total);
}

/* A plain number at the start of text, which shrinks by it. */
static bool read_number(chainsi_slice *text, uint32_t *number)
{
    size_t digits = 0;
    *number = 0;
    while (digits < text->size && text->data[digits] >= '0' && text->data[digits] <= '9') {
        if (digits == MOST_DIGITS)
            return false;
        *number = *number * 10 + (uint32_t)(text->data[digits++] - '0');
    }
    text->data += digits;
    text->size -= digits;
    return digits > 0;
}

bool chainsi_grants_read(const chainsi_http_head *head, chainsi_grants_slots *slots)
{
    const chainsi_slice *text = chainsi_http_find(head, "X-Chains-Slots");
    if (!text)
        return false;
    chainsi_slice rest = *text;
    chainsi_grants_slots said;
    if (!read_number(&rest, &said.free) || !rest.size || *rest.data != '/')
        return false;
    rest.data++;
    rest.size--;
    if (!read_number(&rest, &said.total) || rest.size || !said.total || said.free > said.total)
        return false;
    *slots = said;
    return true;
}
