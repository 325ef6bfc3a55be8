#ifndef ALLOCATION_COUNT_H
#define ALLOCATION_COUNT_H

/// Allocations of the calling thread since it started.
unsigned long allocation_count(void);

#endif
