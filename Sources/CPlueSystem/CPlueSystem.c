#include "CPlueSystem.h"
