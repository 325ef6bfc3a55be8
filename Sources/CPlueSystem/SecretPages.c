#define __STDC_WANT_LIB_EXT1__ 1
#include "CPlueSystem.h"

#include <string.h>
#include <sys/mman.h>

void *plue_secret_pages_map(size_t size, int lock, int *is_locked) {
    *is_locked = 0;
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return NULL;
#ifdef MADV_DONTDUMP
    madvise(pages, size, MADV_DONTDUMP);
#endif
    *is_locked = lock && mlock(pages, size) == 0;
    return pages;
}

void plue_secret_pages_unmap(void *pages, size_t size) {
    plue_erase(pages, size);
    munmap(pages, size);
}

void plue_erase(void *bytes, size_t count) {
    if (count == 0) return;
#ifdef __APPLE__
    memset_s(bytes, count, 0, count);
#else
    explicit_bzero(bytes, count);
#endif
}

int plue_is_equal(const void *left, const void *right, size_t count) {
    // Volatile: the compiler must not find out that it could stop at the first difference.
    const volatile unsigned char *a = left, *b = right;
    unsigned char difference = 0;
    for (size_t i = 0; i < count; i++) difference |= a[i] ^ b[i];
    return difference == 0;
}
