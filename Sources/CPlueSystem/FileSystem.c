#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "CPlueSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#ifdef __linux__
#include <sys/vfs.h>

int64_t plue_filesystem_type(const char *path) {
    struct statfs status;
    return statfs(path, &status) == 0 ? (int64_t)(uint32_t)status.f_type : -1;
}
#else
int64_t plue_filesystem_type(const char *path) { return -1; }
#endif

static void take(const struct stat *from, plue_file_status *to) {
#if defined(__APPLE__)
    struct timespec modified = from->st_mtimespec, changed = from->st_ctimespec;
#else
    struct timespec modified = from->st_mtim, changed = from->st_ctim;
#endif
    to->device = (uint64_t)from->st_dev;
    to->inode = (uint64_t)from->st_ino;
    to->size = (int64_t)from->st_size;
    to->modified = (int64_t)((uint64_t)modified.tv_sec * 1000000000u + (uint64_t)modified.tv_nsec);
    to->changed = (int64_t)((uint64_t)changed.tv_sec * 1000000000u + (uint64_t)changed.tv_nsec);
    to->owner = (uint32_t)from->st_uid;
    to->group = (uint32_t)from->st_gid;
    to->permissions = (uint32_t)from->st_mode & 07777;
    to->is_regular = S_ISREG(from->st_mode);
}

int plue_status_of_descriptor(int descriptor, plue_file_status *status) {
    struct stat found;
    if (fstat(descriptor, &found) != 0) return -1;
    take(&found, status);
    return 0;
}

int plue_status_of_path(const char *path, plue_file_status *status) {
    struct stat found;
    if (stat(path, &found) != 0) return -1;
    take(&found, status);
    return 0;
}

#if defined(__linux__)
int plue_exchange(const char *one, const char *other) { return renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE); }

int plue_is_mount_point(const char *path) {
    struct statx status;
    if (statx(AT_FDCWD, path, 0, 0, &status) != 0) return 0;
    return (status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) && (status.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}
#elif defined(__APPLE__)
int plue_exchange(const char *one, const char *other) { return renamex_np(one, other, RENAME_SWAP); }
int plue_is_mount_point(const char *path) { return 0; }
#else
int plue_exchange(const char *one, const char *other) { errno = ENOSYS; return -1; }
int plue_is_mount_point(const char *path) { return 0; }
#endif
