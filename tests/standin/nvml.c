/* A stand-in for NVIDIA's management library, built by tests into libnvidia-ml.so.1 and loaded by the
 * real pynvml through LD_LIBRARY_PATH. The environment says what it answers:
 *
 * STANDIN_NVML_GPUS  one GPU after another, separated by ';', each NAME,TOTAL_MIB,FREE_MIB and, if one
 *                    of its calls is to fail, ,CALL=CODE with CALL one of handle, name, memory
 * STANDIN_NVML_INIT  the code that nvmlInitWithFlags returns (0)
 * STANDIN_NVML_COUNT the code that nvmlDeviceGetCount_v2 returns (0)
 * STANDIN_NVML_HANG  set: nvmlInitWithFlags never returns, as with a driver that is stuck
 *
 * Codes are those of nvml.h (nvmlReturn_t).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, INSUFFICIENT_SIZE = 7, MAX_GPUS = 64 };

typedef struct {
    char name[256];
    unsigned long long total, free;
    int handle, memory, name_code;
} gpu;

typedef struct {
    unsigned long long total, free, used;
} memory_info;

static gpu gpus[MAX_GPUS];
static unsigned count;

static int code_of(const char *variable)
{
    const char *value = getenv(variable);
    return value ? atoi(value) : SUCCESS;
}

static void read_gpu(char *text)
{
    unsigned long long total = 0, free_ = 0;
    char call[16] = "";
    int code = SUCCESS;
    gpu *g = &gpus[count++];
    sscanf(text, "%255[^,],%llu,%llu,%15[^=]=%d", g->name, &total, &free_, call, &code);
    g->total = total << 20;
    g->free = free_ << 20;
    g->handle = strcmp(call, "handle") == 0 ? code : SUCCESS;
    g->name_code = strcmp(call, "name") == 0 ? code : SUCCESS;
    g->memory = strcmp(call, "memory") == 0 ? code : SUCCESS;
}

int nvmlInitWithFlags(unsigned flags)
{
    (void)flags;
    while (getenv("STANDIN_NVML_HANG"))
        pause();
    const char *value = getenv("STANDIN_NVML_GPUS");
    char *copy = value ? strdup(value) : NULL;
    count = 0;
    for (char *part = copy ? strtok(copy, ";") : NULL; part && count < MAX_GPUS; part = strtok(NULL, ";"))
        read_gpu(part);
    free(copy);
    return code_of("STANDIN_NVML_INIT");
}

int nvmlShutdown(void)
{
    return SUCCESS;
}

const char *nvmlErrorString(int code)
{
    static char text[64];
    snprintf(text, sizeof text, "NVML error %d of the stand-in", code);
    return text;
}

int nvmlDeviceGetCount_v2(unsigned *n)
{
    *n = count;
    return code_of("STANDIN_NVML_COUNT");
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, gpu **device)
{
    if (index >= count)
        return INVALID_ARGUMENT;
    *device = &gpus[index];
    return gpus[index].handle;
}

int nvmlDeviceGetName(gpu *device, char *name, unsigned length)
{
    if (strlen(device->name) >= length)
        return INSUFFICIENT_SIZE;
    strcpy(name, device->name);
    return device->name_code;
}

int nvmlDeviceGetMemoryInfo(gpu *device, memory_info *memory)
{
    memory->total = device->total;
    memory->free = device->free;
    memory->used = device->total - device->free;
    return device->memory;
}
