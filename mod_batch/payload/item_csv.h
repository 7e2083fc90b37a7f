/*
 * Rows of a CSV file: how a row lies in the spool, and what item it is.
 */
#ifndef BATCH_PAYLOAD_ITEM_CSV_H
#define BATCH_PAYLOAD_ITEM_CSV_H

#include "batch.h"
#include "engine/intake.h"
#include "text/text_buffer.h"

/** The cell that stands for null. */
#define BATCH_CSV_NULL "#N/A"

/** A column of the file. */
typedef struct batch_csv_column {
    const char *name;             /* the resource's own string; NULL: of an error file, skipped */
    const batch_column_t *column; /* NULL: the key, or skipped */
} batch_csv_column_t;

/** The header row. */
typedef struct batch_csv_header {
    apr_array_header_t *columns; /* of batch_csv_column_t */
    int skipped;                 /* leading columns of an error file */
    int is_all;                  /* the file has nothing but this row, and no line end */
    apr_int64_t max_item_size;
} batch_csv_header_t;

/**
 * Reads a header row: cells as batch_csv_row_add wrote them. Adds a problem for each name that the
 * resource does not have, that no batch can set, or that is repeated; at most a hundred or so.
 * Leading line, index, field, code, message, which an error file has in front of its columns, are
 * skipped, each where the resource has no column of that name, or all five of them.
 */
void batch_csv_header_read(batch_csv_header_t *header, const batch_text_buffer_t *row,
                           const batch_resource_t *resource, apr_int64_t line,
                           batch_problems_t *problems, apr_pool_t *p);

/** Appends a cell to a row, in the form in which it is put into the spool. */
void batch_csv_row_add(batch_text_buffer_t *row, const char *cell, apr_size_t length);

/**
 * Fills *item from a row, which is copied into p; its line is not touched. A text of NULL is a row
 * that is too large. An empty cell is an absent member, #N/A is null. What is not as it should be
 * is wrong: too_large, wrong_cell_count, nul_byte, invalid_utf8, empty (a row of an error file
 * without its item); then the values are those that could be read. The original of an item is an
 * object, with a number or a boolean where the cell is one of its column, and U+FFFD for bytes that
 * are not UTF-8; of a row with a wrong number of cells it is an array of all of them.
 */
void batch_csv_row_read(batch_source_item_t *item, const batch_csv_header_t *header,
                        const char *text, apr_size_t length, apr_pool_t *p);

#endif
