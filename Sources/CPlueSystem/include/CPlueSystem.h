#ifndef CPLUE_SYSTEM_H
#define CPLUE_SYSTEM_H
#endif
