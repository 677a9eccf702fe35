/* Cores and memory of the machine. */
#include "control/machine.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

/* The set of CPUs has room for 1,024; with more than that the kernel refuses, and all are counted. */
static unsigned count_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (unsigned)CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

void chainsi_machine_read(chainsi_machine *machine)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    machine->cores = count_cores();
    machine->memory_bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
}

bool chainsi_machine_note(const chainsi_machine *machine, const char *chainlet,
                          const chainsi_cgroup_limits *limits, char *note, size_t size)
{
    bool cpu = limits->cpu > machine->cores;
    bool memory = limits->memory_bytes > machine->memory_bytes && machine->memory_bytes;
    char asked[CHAINSI_BYTES_TEXT], there[CHAINSI_BYTES_TEXT], cpu_part[80], memory_part[120];
    chainsi_describe_bytes(limits->memory_bytes, asked);
    chainsi_describe_bytes(machine->memory_bytes, there);
    snprintf(cpu_part, sizeof cpu_part, ".cpu = %g is more than the %u %s here", limits->cpu,
             machine->cores, machine->cores == 1 ? "core" : "cores");
    snprintf(memory_part, sizeof memory_part, ".memory of %s is more than the %s here", asked,
             there);
    if (cpu || memory)
        snprintf(note, size, "%s: %s%s%s", chainlet, cpu ? cpu_part : "",
                 cpu && memory ? ", and " : "", memory ? memory_part : "");
    return cpu || memory;
}
