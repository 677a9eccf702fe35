#pragma once
extern int shape_state;
int shape_area(int side);
