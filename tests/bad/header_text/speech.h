#pragma once
#include <chains.h>

This is no header.
