/* Short forms for tables of schema/type.h that are written by hand. */
#ifndef CHAINSI_CONTROL_FIELDS_H
#define CHAINSI_CONTROL_FIELDS_H

#include "schema/fields.h" // IWYU pragma: export

#endif
