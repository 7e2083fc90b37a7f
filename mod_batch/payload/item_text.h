/*
 * Items as text again: what a batch has stored of an item -> a JSON object, or cells of CSV
 * (RFC 4180), in the very form in which an upload takes it.
 *
 * Cells are never changed to keep spreadsheets from taking them for formulas: a file that is sent
 * back must say what was said before (docs/security.md).
 */
#ifndef BATCH_PAYLOAD_ITEM_TEXT_H
#define BATCH_PAYLOAD_ITEM_TEXT_H

#include "batch.h"
#include "text/writer.h"

/** What stands for null in a cell; an empty cell is an absent member. */
#define BATCH_CELL_NULL "#N/A"

/**
 * The columns of a CSV file of a resource's items (const char *, in p): those of the header (names
 * with commas between them), or, where that is NULL, the key and all columns that can be written.
 */
apr_array_header_t *batch_item_columns(const batch_resource_t *resource, const char *header,
                                       apr_pool_t *p);

/**
 * The JSON object of an item, in p: the key first where it is not NULL, then the values, each as
 * the type of its column has it in JSON.
 */
const char *batch_item_json(const batch_resource_t *resource, const char *key,
                            const batch_value_t *values, int count, apr_pool_t *p);

/** Writes a cell, in quotes where RFC 4180 asks for them, or where its spaces could get lost. */
void batch_write_cell(batch_text_writer_t *writer, const char *bytes, apr_size_t length,
                      apr_pool_t *ptemp);

/** The same for a text; NULL is an empty cell. */
void batch_write_text_cell(batch_text_writer_t *writer, const char *text, apr_pool_t *ptemp);

/**
 * Writes the cells of an item that is a JSON object (of another kind, or NULL: all are empty), with
 * commas between them. An array is a row of a CSV file that has not as many cells as its header, if
 * the batch came as one (has_header): its cells are written as they were.
 */
void batch_write_item_cells(batch_text_writer_t *writer, const apr_array_header_t *columns,
                            int has_header, const char *item, apr_size_t length, apr_pool_t *ptemp);

#endif
