/* Finding the GPUs: NVML, the driver's library, or else what the driver has in /proc.
 *
 * The library is loaded only while it is asked, and what is declared of it here is what its documentation
 * promises for every version: a machine needs none of its headers to build the daemon. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/gpu.h"
#include "control/handle.h"
#include "control/home.h"
#include "control/kernel_file.h"

/* Functions of NVML give 0 when all is well. */
typedef struct nvml_memory {
    unsigned long long total, free, used;
} nvml_memory;

typedef struct nvml {
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *count);
    int (*device)(unsigned index, void **device);
    int (*name)(void *device, char *name, unsigned size);
    int (*uuid)(void *device, char *uuid, unsigned size);
    int (*memory)(void *device, nvml_memory *memory);
    const char *(*error)(int code);
} nvml;

static bool load(void *library, nvml *functions)
{
    const struct {
        const char *name;
        void *function;
    } all[] = {
        { "nvmlInit_v2", &functions->init },
        { "nvmlShutdown", &functions->shutdown },
        { "nvmlDeviceGetCount_v2", &functions->count },
        { "nvmlDeviceGetHandleByIndex_v2", &functions->device },
        { "nvmlDeviceGetName", &functions->name },
        { "nvmlDeviceGetUUID", &functions->uuid },
        { "nvmlDeviceGetMemoryInfo", &functions->memory },
        { "nvmlErrorString", &functions->error },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        void *symbol = dlsym(library, all[i].name);
        if (!symbol)
            return false;
        memcpy(all[i].function, &symbol, sizeof symbol);
    }
    return true;
}

static void add(chainsi_gpus *gpus, const chainsi_gpu *gpu)
{
    chainsi_gpu *items = realloc(gpus->items, (gpus->count + 1) * sizeof *items);
    if (!items)
        abort();
    gpus->items = items;
    items[gpus->count++] = *gpu;
}

/* Asks the library. False with the reason: it can't be asked. */
static bool ask_nvml(const char *path, chainsi_gpus *gpus)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    nvml functions;
    if (!library || !load(library, &functions)) {
        snprintf(gpus->why, sizeof gpus->why, library ? "%s is too old" : "%s isn't installed",
                 path ? path : "NVML");
        if (library)
            dlclose(library);
        return false;
    }
    unsigned count = 0;
    int code = functions.init();
    bool running = code == 0;
    if (running)
        code = functions.count(&count);
    for (unsigned i = 0; code == 0 && i < count && i < CHAINSI_GPU_MOST; i++) {
        chainsi_gpu gpu = { .index = i };
        void *device;
        nvml_memory memory;
        /* One that has fallen off the bus is passed over; the others keep their numbers. */
        if (functions.device(i, &device) != 0 ||
            functions.name(device, gpu.name, sizeof gpu.name) != 0)
            continue;
        if (functions.uuid(device, gpu.uuid, sizeof gpu.uuid) != 0)
            gpu.uuid[0] = 0;
        if (functions.memory(device, &memory) == 0)
            gpu.memory_bytes = memory.total;
        add(gpus, &gpu);
    }
    if (code != 0)
        snprintf(gpus->why, sizeof gpus->why, "NVML says: %s", functions.error(code));
    else if (!gpus->count)
        snprintf(gpus->why, sizeof gpus->why, "the NVIDIA driver has no device");
    if (running)
        functions.shutdown();
    dlclose(library);
    return code == 0;
}

bool chainsi_gpu_read_information(const char *text, chainsi_gpu *gpu)
{
    static const char name_key[] = "Model:", uuid_key[] = "GPU UUID:";
    chainsi_gpu found = { .index = gpu->index };
    for (const char *line = text; *line;) {
        size_t size = strcspn(line, "\n");
        bool is_name = !strncmp(line, name_key, sizeof name_key - 1);
        bool is_uuid = !strncmp(line, uuid_key, sizeof uuid_key - 1);
        if (is_name || is_uuid) {
            const char *value = line + (is_name ? sizeof name_key : sizeof uuid_key) - 1;
            value += strspn(value, " \t");
            size_t value_size = value < line + size ? (size_t)(line + size - value) : 0;
            snprintf(is_name ? found.name : found.uuid, CHAINSI_GPU_TEXT, "%.*s", (int)value_size,
                     value);
        }
        line += size + (line[size] == '\n');
    }
    if (strchr(found.uuid, '?')) /* as long as nobody has used the device */
        found.uuid[0] = 0;
    if (!found.name[0])
        return false;
    *gpu = found;
    return true;
}

static int is_device(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Reads the driver's folder: one folder a device, named after its PCI address. */
static void read_folder(const char *folder, chainsi_gpus *gpus)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_device, alphasort);
    for (int i = 0; i < count; i++) {
        chainsi_gpu gpu = { .index = (unsigned)i };
        char *device = chainsi_path("%s/%s", folder, entries[i]->d_name);
        char *text = chainsi_kernel_file_read(device, "information");
        if (text && chainsi_gpu_read_information(text, &gpu))
            add(gpus, &gpu);
        free(text);
        free(device);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

void chainsi_gpus_leave_visible(chainsi_gpus *gpus, const char *visible)
{
    chainsi_gpus left = { 0 };
    for (const char *at = visible; *at;) {
        size_t size = strcspn(at, ",");
        const char *entry = at + strspn(at, " ");
        char *end;
        long number = strtol(entry, &end, 10);
        bool is_number = end != entry && end == at + size;
        size_t entry_size = entry < at + size ? (size_t)(at + size - entry) : 0;
        const chainsi_gpu *named = NULL;
        for (size_t i = 0; i < gpus->count && !named; i++) {
            const chainsi_gpu *gpu = &gpus->items[i];
            if (is_number ? number >= 0 && gpu->index == (unsigned long)number
                          : entry_size && !strncasecmp(gpu->uuid, entry, entry_size))
                named = gpu;
        }
        if (!named)
            break;
        bool again = false;
        for (size_t i = 0; i < left.count; i++)
            again = again || left.items[i].index == named->index;
        if (!again)
            add(&left, named);
        at += size + (at[size] == ',');
    }
    if (gpus->count && !left.count)
        snprintf(gpus->why, sizeof gpus->why,
                 "the daemon was started with CUDA_VISIBLE_DEVICES=%s, which hides all", visible);
    free(gpus->items);
    gpus->items = left.items;
    gpus->count = left.count;
}

chainsi_gpu_sources chainsi_gpu_own_sources(void)
{
    return (chainsi_gpu_sources){ .nvml = "libnvidia-ml.so.1",
                                  .folder = "/proc/driver/nvidia/gpus",
                                  .visible = getenv("CUDA_VISIBLE_DEVICES") };
}

void chainsi_gpus_find(const chainsi_gpu_sources *sources, chainsi_gpus *gpus)
{
    *gpus = (chainsi_gpus){ 0 };
    if (!ask_nvml(sources->nvml, gpus)) {
        gpus->count = 0; /* what was told before it failed is told again */
        read_folder(sources->folder, gpus);
    }
    if (sources->visible)
        chainsi_gpus_leave_visible(gpus, sources->visible);
}

void chainsi_gpus_done(chainsi_gpus *gpus)
{
    free(gpus->items);
    *gpus = (chainsi_gpus){ 0 };
}
