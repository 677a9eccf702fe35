#pragma once
#include <chains.h>

CHAINLET_EXTERNAL(voice, .url = "https://voice.example");

