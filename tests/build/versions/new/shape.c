/* A library in its version 2. */
#include "shape.h"

int shape_state = 2;

int shape_area(int side)
{
    return shape_state * 1000 + side * side * 2;
}
