/* What the benchmark of the codecs encodes and decodes. For C and C++. */
#ifndef CODECS_DOCUMENT_H
#define CODECS_DOCUMENT_H

#include <chains.h>

typedef struct place {
    int64_t id;
    const char *name;
    const char *city;
    const char *text;
    int32_t visits;
    bool open;
    double latitude;
    double longitude;
    double score;
} place;
CHAINS_LIST(place, places);
typedef struct document {
    const char *title;
    places items;
} document;

/* What a small call carries: a text of 64 bytes and two numbers. */
typedef struct message {
    const char *text;
    int64_t number;
    double weight;
} message;

/* Which of them a text holds; doubles are a chains_double_list. */
typedef enum codecs_shape { CODECS_DOCUMENT, CODECS_DOUBLES, CODECS_MESSAGE } codecs_shape;

#endif
