#include "CPlueSystem.h"

#include <pthread.h>
#include <stddef.h>

_Thread_local plue_cached_snapshot plue_snapshot_slots[PLUE_SNAPSHOT_SLOTS];

static pthread_key_t key;
static pthread_once_t key_made = PTHREAD_ONCE_INIT;
static int key_is_usable;

static void release_slots(void *value) {
    void (*release)(const void *) = (void (*)(const void *))value;
    for (int i = 0; i < PLUE_SNAPSHOT_SLOTS; i++) {
        plue_cached_snapshot *slot = &plue_snapshot_slots[i];
        const void *object = slot->object;
        slot->owner = 0;
        slot->object = NULL;
        if (object != NULL) release(object);
    }
}

static void make_key(void) { key_is_usable = pthread_key_create(&key, release_slots) == 0; }

void plue_snapshot_release_at_thread_end(void (*release)(const void *object)) {
    pthread_once(&key_made, make_key);
    // Without a key the objects of ended threads stay: at most one snapshot a slot and thread.
    if (key_is_usable && pthread_getspecific(key) == NULL) pthread_setspecific(key, (const void *)release);
}
