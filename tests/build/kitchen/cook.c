#include "cook.h"

#include <imaginary.h>
