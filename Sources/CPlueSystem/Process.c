#include "CPlueSystem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

void plue_keep_memory_private(void) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
#ifdef __linux__
    // Also for core handlers behind a pipe, which the limit does not hold for; and for /proc/PID/environ and mem.
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

void plue_erase_variable(const char *name) {
    char *value = getenv(name);
    if (value) plue_erase(value, strlen(value));
}

int plue_run_again(char *const *arguments) {
    // By its own path, so that the process keeps its name.
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) return -1;
    path[length] = 0;
    return execv(path, arguments);
}
