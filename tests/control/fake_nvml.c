/* Plays NVML for a daemon that finds it before, or instead of, the driver's: the devices are those of FAKE_GPUS,
 * names with commas between them, with the UUIDs "GPU-0", "GPU-1" ... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64, NAME = 96 };

static char names[MOST][NAME];
static unsigned count;

int nvmlInit_v2(void);
int nvmlInit_v2(void)
{
    const char *at = getenv("FAKE_GPUS");
    count = 0;
    while (at && *at && count < MOST) {
        int size = (int)strcspn(at, ",");
        snprintf(names[count++], NAME, "%.*s", size, at);
        at += size + (at[size] == ',');
    }
    return 0;
}

int nvmlShutdown(void);
int nvmlShutdown(void)
{
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *found);
int nvmlDeviceGetCount_v2(unsigned *found)
{
    *found = count;
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
    *device = names[index];
    return 0;
}

int nvmlDeviceGetName(const char *device, char *name, unsigned size);
int nvmlDeviceGetName(const char *device, char *name, unsigned size)
{
    snprintf(name, size, "%s", device);
    return 0;
}

int nvmlDeviceGetUUID(const char *device, char *uuid, unsigned size);
int nvmlDeviceGetUUID(const char *device, char *uuid, unsigned size)
{
    snprintf(uuid, size, "GPU-%d", (int)((device - names[0]) / NAME));
    return 0;
}

int nvmlDeviceGetMemoryInfo(const char *device, unsigned long long memory[3]);
int nvmlDeviceGetMemoryInfo(const char *device, unsigned long long memory[3])
{
    (void)device;
    memory[0] = memory[1] = 24ULL << 30;
    memory[2] = 0;
    return 0;
}

const char *nvmlErrorString(int code);
const char *nvmlErrorString(int code)
{
    (void)code;
    return "none";
}
