#include "CPlueSystem.h"

#ifdef __linux__
#include <sys/vfs.h>

int64_t plue_filesystem_type(const char *path) {
    struct statfs status;
    return statfs(path, &status) == 0 ? (int64_t)(uint32_t)status.f_type : -1;
}
#else
int64_t plue_filesystem_type(const char *path) { return -1; }
#endif
