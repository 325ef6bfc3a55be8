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
    uint32_t group;
    // The permission bits, 0644.
    uint32_t permissions;
    int32_t is_regular;
} plue_file_status;

// 0, or -1 with errno set.
int plue_status_of_descriptor(int descriptor, plue_file_status *_Nonnull status);
// Of what the path names, links followed; 0, or -1 with errno set.
int plue_status_of_path(const char *_Nonnull path, plue_file_status *_Nonnull status);

// Has two files take each other's names at once; 0, or -1 with errno set, ENOSYS where the system cannot.
int plue_exchange(const char *_Nonnull one, const char *_Nonnull other);
// 1 for a path onto which something is mounted; 0 for any other, and where the system does not tell.
int plue_is_mount_point(const char *_Nonnull path);

// Keeps other processes of this user, and core dumps, from seeing the process's memory and its first environment.
void plue_keep_memory_private(void);
// Erases a variable's value where the process was given it, which is where /proc/PID/environ reads it.
void plue_erase_variable(const char *_Nonnull name);
// Starts the running program again in this process, in the environment as it is now; returns only when that fails.
int plue_run_again(char *_Nullable const *_Nonnull arguments);

// The port a socket is bound to; 0 for none. Here for the same reason as struct timespec: whose sockaddr_in's fields are.
int plue_port_of_descriptor(int descriptor);

// Accepts a TCP connection, close-on-exec and non-blocking, and writes the peer's numeric address; -1 with errno set. Who is gone
// without a word is found out within three minutes.
int plue_accept(int listener, char *_Nonnull address, size_t size);
// A TCP socket, close-on-exec and non-blocking; -1 with errno set.
int plue_stream_socket(int family);
// Two ends of a pipe, close-on-exec and non-blocking; 0, or -1 with errno set.
int plue_pipe(int ends[_Nonnull 2]);

// Sends one datagram to a Unix socket, waiting for a second at most; '@' at the start stands for an abstract address.
// 0, or -1 with errno set.
int plue_send_datagram(const char *_Nonnull path, const void *_Nonnull bytes, size_t count);

// Private pages for secrets, all zero, left out of core dumps, and, when `lock` says so and the limits of the process allow it,
// locked: never written to swap. NULL when there is no memory.
void *_Nullable plue_secret_pages_map(size_t size, int lock, int *_Nonnull is_locked);
// Erases and gives back what plue_secret_pages_map returned.
void plue_secret_pages_unmap(void *_Nonnull pages, size_t size);
// Overwrites with zeros, also where the compiler sees that nobody reads them.
void plue_erase(void *_Nullable bytes, size_t count);
// Whether both are the same bytes, in time that depends on the count alone.
int plue_is_equal(const void *_Nullable left, const void *_Nullable right, size_t count);

// Which sockets can be read or written, for one thread that waits for all of them: epoll on Linux, kqueue elsewhere. A descriptor
// may be closed at any time; what was asked for it is then forgotten.

// A descriptor of the queue, or -1 with errno set.
int plue_readiness_open(void);
// Announces the token once, as soon as the descriptor can be read or, when asked for too, written, or has failed. What was asked
// for the descriptor before is replaced. 0, or -1 with errno set.
int plue_readiness_arm(int queue, int descriptor, int reading, int writing, uint64_t token);
// Waits for announced tokens, for so many milliseconds at most. How many were written, or -1 with errno set.
int plue_readiness_wait(int queue, uint64_t *_Nonnull tokens, int count, int milliseconds);

#endif
