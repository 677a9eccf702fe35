#pragma once

typedef struct {
    int id;
    char *name;
    void *data;
} device;
