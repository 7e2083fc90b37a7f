/*
 * Fuzz target: a query, parsed and checked, and where one record after the other can be decided
 * evaluated for a record. Its members are read from what stands behind the first NUL of the input,
 * which need not be JSON.
 */
#include <stdint.h>

#include <apr_general.h>

#include "query_fixture.h"
#include "store/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static apr_pool_t *root;

typedef struct reading {
    const batch_source_t *form;
    batch_query_value_t *members;
    batch_query_room_t *room;
} reading_t;

static int take_member(void *baton, const char *name, apr_size_t name_length, const char *value,
                       apr_size_t length)
{
    reading_t *reading = baton;

    for (int i = 0; i < reading->form->members->nelts; i++) {
        const batch_member_t *member = &APR_ARRAY_IDX(reading->form->members, i, batch_member_t);

        if (member->length == name_length && !memcmp(member->name, name, name_length)) {
            reading->members[i] = batch_query_member_value(value, length, reading->room);
        }
    }
    return 1;
}

static void check_value(const batch_node_t *node, batch_query_value_t value)
{
    int untyped = node->kind == BATCH_QUERY_MEMBER || node->kind == BATCH_QUERY_LITERAL;

    check(value.kind == BATCH_QUERY_NULL || untyped || value.kind == node->kind ||
          (value.kind == BATCH_QUERY_INTEGER && node->kind == BATCH_QUERY_NUMBER));
    check(value.kind != BATCH_QUERY_TEXT || value.text || !value.length);
    check(value.kind != BATCH_QUERY_NUMBER || value.number - value.number == 0.0);
}

static void evaluate(const batch_statement_t *statement, const char *json, apr_size_t length,
                     apr_pool_t *p)
{
    batch_query_room_t room = {.p = p, .most = 1024 * 1024};
    const batch_select_t *select = statement->select;
    const batch_source_t *form = select->from;
    int count = form->columns->nelts;
    batch_query_value_t *columns = apr_pcalloc(p, (apr_size_t)count * sizeof(*columns));
    batch_query_value_t *members =
        apr_pcalloc(p, ((apr_size_t)form->members->nelts + 1) * sizeof(*members));
    batch_record_t record = {.columns = columns, .members = members};
    reading_t reading = {form, members, &room};
    batch_cell_t cell = {BATCH_CELL_TEXT, 0, 0, json, length};

    for (int i = 0; i < count; i++) {
        columns[i] = batch_query_cell(
            &cell, APR_ARRAY_IDX(form->columns, i, const batch_query_column_t *)->kind, &room);
    }
    batch_query_members(json, length, take_member, &reading, &room);
    if (select->where) {
        check_value(select->where, batch_query_evaluate(select->where, &record, &room));
    }
    check_value(statement->id_text, batch_query_evaluate(statement->id_text, &record, &room));
    for (int i = 0; i < select->order->nelts; i++) {
        const batch_node_t *node = APR_ARRAY_IDX(select->order, i, batch_select_order_t).node;
        check_value(node, batch_query_evaluate(node, &record, &room));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *behind = memchr(data, 0, size);
    size_t length = behind ? (size_t)(behind - data) : size;
    char *json = malloc(size - length + 1); /* of its very size: reading beyond it shows */
    batch_query_text_t text;
    batch_statement_t *statement;
    apr_pool_t *p;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    apr_pool_create(&p, root);
    memcpy(json, data + length, size - length);
    batch_query_lex(&text, apr_pstrmemdup(p, (const char *)data, length), p);
    statement = batch_query_parse(&text);
    check(!statement == (text.fault != NULL));
    if (statement && batch_query_check_statement(
                         statement, &text, batch_query_schema_make(resource_make(p), p), NULL, 0)) {
        check(!text.fault);
        if (statement->is_scan) {
            evaluate(statement, json + (length < size), size - length - (length < size), p);
            (void)batch_query_wheres(statement->select, statement->select->from, p);
        }
    } else {
        check(text.fault != NULL);
    }
    free(json);
    apr_pool_destroy(p);
    return 0;
}
