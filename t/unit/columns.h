/* Columns of the resources that unit tests make for themselves. */
#ifndef BATCH_COLUMNS_H
#define BATCH_COLUMNS_H

#include <string.h>

#include "batch.h"

/* Adds a column to a resource's columns; it lives until the next one is added. */
static inline batch_column_t *push_column(apr_array_header_t *columns, const char *name,
                                          batch_type_e type)
{
    batch_column_t *column = apr_array_push(columns);

    memset(column, 0, sizeof(*column));
    column->name = name;
    column->type = type;
    return column;
}

#endif
