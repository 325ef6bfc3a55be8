// The console's files, in the executable itself: nothing has to be installed beside it.
#ifndef CPLUECONSOLE_H
#define CPLUECONSOLE_H

#include <stddef.h>

struct plue_console_file {
    /// Below `/assets/`: `main.js`.
    const char *name;
    const unsigned char *bytes;
    size_t size;
};

/// One of them, by its place in the list; the name is NULL after the last.
struct plue_console_file plue_console_file_at(size_t index);

#endif
