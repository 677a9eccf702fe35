#pragma once
#include <chains.h>

CHAINLET(speech);

