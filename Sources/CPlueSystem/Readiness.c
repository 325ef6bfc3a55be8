#include "CPlueSystem.h"

#include <errno.h>
#include <fcntl.h>

#define PLUE_READINESS_BATCH 64

#ifdef __linux__
#include <sys/epoll.h>

int plue_readiness_open(void) { return epoll_create1(EPOLL_CLOEXEC); }

int plue_readiness_arm(int queue, int descriptor, int reading, int writing, uint64_t token) {
    struct epoll_event event = {.events = EPOLLONESHOT, .data.u64 = token};
    if (reading) event.events |= EPOLLIN | EPOLLRDHUP;
    if (writing) event.events |= EPOLLOUT;
    if (epoll_ctl(queue, EPOLL_CTL_MOD, descriptor, &event) == 0) return 0;
    return errno == ENOENT ? epoll_ctl(queue, EPOLL_CTL_ADD, descriptor, &event) : -1;
}

int plue_readiness_wait(int queue, uint64_t *tokens, int count, int milliseconds) {
    struct epoll_event events[PLUE_READINESS_BATCH];
    int found = epoll_wait(queue, events, count < PLUE_READINESS_BATCH ? count : PLUE_READINESS_BATCH, milliseconds);
    for (int index = 0; index < found; index++) tokens[index] = events[index].data.u64;
    return found;
}
#else
#include <sys/event.h>
#include <sys/time.h>

int plue_readiness_open(void) {
    int queue = kqueue();
    if (queue >= 0) fcntl(queue, F_SETFD, FD_CLOEXEC);
    return queue;
}

int plue_readiness_arm(int queue, int descriptor, int reading, int writing, uint64_t token) {
    struct kevent changes[2];
    int count = 0;
    void *data = (void *)(uintptr_t)token;
    if (reading) EV_SET(&changes[count++], descriptor, EVFILT_READ, EV_ADD | EV_ONESHOT, 0, 0, data);
    if (writing) EV_SET(&changes[count++], descriptor, EVFILT_WRITE, EV_ADD | EV_ONESHOT, 0, 0, data);
    return kevent(queue, changes, count, 0, 0, 0) < 0 ? -1 : 0;
}

int plue_readiness_wait(int queue, uint64_t *tokens, int count, int milliseconds) {
    struct kevent events[PLUE_READINESS_BATCH];
    struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = (milliseconds % 1000) * 1000000L};
    int most = count < PLUE_READINESS_BATCH ? count : PLUE_READINESS_BATCH;
    int found = kevent(queue, 0, 0, events, most, milliseconds < 0 ? 0 : &time);
    for (int index = 0; index < found; index++) tokens[index] = (uint64_t)(uintptr_t)events[index].udata;
    return found;
}
#endif
