// What Glibc does not import into Swift.
#ifndef CPLUE_SYSTEM_H
#define CPLUE_SYSTEM_H

#include <stddef.h>
#include <stdint.h>

#ifndef __clang__
#define _Nonnull
#define _Nullable
#endif

// A thread's cached reference to one manager's snapshot.
//
// Swift has no thread-local storage; a dictionary lookup per read (pthread_getspecific and a table) would cost more than
// the read itself.
typedef struct plue_cached_snapshot {
    // Which manager the reference belongs to; 0 for none.
    uint64_t owner;
    // The publication it was taken at.
    uint64_t version;
    // A retained object, released when the slot is taken over and when the thread ends.
    const void *_Nullable object;
    // How many reads of this thread are inside `object` now; above 0 it must not be replaced.
    uint64_t readers;
} plue_cached_snapshot;

#define PLUE_SNAPSHOT_SLOTS 4

extern _Thread_local plue_cached_snapshot plue_snapshot_slots[PLUE_SNAPSHOT_SLOTS];

// The calling thread's slot for a manager.
static inline plue_cached_snapshot *_Nonnull plue_snapshot_slot(uint64_t owner) {
    return &plue_snapshot_slots[owner % PLUE_SNAPSHOT_SLOTS];
}

// Has `release` called on every object still cached when the calling thread ends. Cheap to call again.
void plue_snapshot_release_at_thread_end(void (*_Nonnull release)(const void *_Nonnull object));

// The type of the file system that holds a path, as statfs(2) numbers it; -1 when there is none. Glibc's module lacks statfs.
int64_t plue_filesystem_type(const char *_Nonnull path);

// What stat(2) says of a file, its times in nanoseconds. Here, because which Swift module struct timespec belongs to depends on
// the order in which modules are loaded, and with it whether its fields can be named.
typedef struct plue_file_status {
    uint64_t device;
    uint64_t inode;
    int64_t size;
    int64_t modified;
    int64_t changed;
    uint32_t owner;
    int32_t is_regular;
} plue_file_status;

// 0, or -1 with errno set.
int plue_status_of_descriptor(int descriptor, plue_file_status *_Nonnull status);
// Of what the path names, links followed; 0, or -1 with errno set.
int plue_status_of_path(const char *_Nonnull path, plue_file_status *_Nonnull status);

// The port a socket is bound to; 0 for none. Here for the same reason as struct timespec: whose sockaddr_in's fields are.
int plue_port_of_descriptor(int descriptor);

// Sends one datagram to a Unix socket, waiting for a second at most; '@' at the start stands for an abstract address.
// 0, or -1 with errno set.
int plue_send_datagram(const char *_Nonnull path, const void *_Nonnull bytes, size_t count);

#endif
