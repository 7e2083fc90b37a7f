#include "store/pgsql/builder.h"

#include <string.h>

#include <apr_strings.h>

#define ARRAY_BOOLEAN 1000

void batch_pgsql_builder_init(batch_pgsql_builder_t *builder, const batch_pgsql_table_t *table,
                              const batch_row_plan_t *plan, apr_pool_t *p)
{
    builder->pieces = apr_array_make(p, 32, sizeof(const char *));
    builder->types = apr_array_make(p, 8, sizeof(Oid));
    builder->values = apr_array_make(p, 8, sizeof(const char *));
    builder->lengths = apr_array_make(p, 8, sizeof(int));
    builder->formats = apr_array_make(p, 8, sizeof(int));
    builder->names = apr_array_make(p, 8, sizeof(const char *));
    builder->table = table;
    builder->plan = plan;
    builder->table_name = plan ? batch_sql_identifier(plan->resource->table, p) : NULL;
    builder->list = 0;
    builder->p = p;
}

/* ---- Names -------------------------------------------------------------------------------------
 */

void batch_pgsql_add(batch_pgsql_builder_t *builder, const char *piece)
{
    APR_ARRAY_PUSH(builder->pieces, const char *) = piece;
}

void batch_pgsql_add_name(batch_pgsql_builder_t *builder, const char *name)
{
    batch_pgsql_add(builder, batch_sql_identifier(name, builder->p));
}

void batch_pgsql_add_next(batch_pgsql_builder_t *builder, const char *first, const char *name)
{
    batch_pgsql_add(builder, builder->list++ ? ", " : first);
    batch_pgsql_add_name(builder, name);
}

void batch_pgsql_add_of(batch_pgsql_builder_t *builder, const char *word, const char *row,
                        const char *column)
{
    batch_pgsql_add(builder, word);
    batch_pgsql_add(builder, row ? row : builder->table_name);
    batch_pgsql_add(builder, ".");
    batch_pgsql_add_name(builder, column);
}

void batch_pgsql_add_key(batch_pgsql_builder_t *builder, const char *word)
{
    batch_pgsql_add_of(builder, word, NULL, builder->plan->resource->key);
    batch_pgsql_add(builder, "::text");
}

/* ---- Parameters --------------------------------------------------------------------------------
 */

/* length: of a binary value, -1 for a text */
static void add_parameter(batch_pgsql_builder_t *builder, Oid type, const char *value, int length)
{
    APR_ARRAY_PUSH(builder->types, Oid) = type;
    APR_ARRAY_PUSH(builder->values, const char *) = value;
    APR_ARRAY_PUSH(builder->lengths, int) = length < 0 ? 0 : length;
    APR_ARRAY_PUSH(builder->formats, int) = length >= 0;
    batch_pgsql_add(builder, apr_psprintf(builder->p, "$%d", builder->values->nelts));
}

void batch_pgsql_add_value(batch_pgsql_builder_t *builder, Oid type, const char *value)
{
    add_parameter(builder, type, value, -1);
}

void batch_pgsql_add_array(batch_pgsql_builder_t *builder, const batch_pgsql_column_t *column,
                           const char *const *texts, int count)
{
    int length = -1;
    const char *array = batch_pgsql_binary_array(&length, column, texts, count, builder->p);

    add_parameter(builder, column->array,
                  array ? array : batch_pgsql_array(texts, count, builder->p), length);
}

void batch_pgsql_add_fixed(batch_pgsql_builder_t *builder, const batch_row_fixed_t *fixed)
{
    batch_pgsql_add_value(builder, batch_pgsql_column(builder->table, fixed->column)->type,
                          builder->plan->constants[fixed->constant]);
}

batch_pgsql_values_t batch_pgsql_values(const batch_pgsql_builder_t *builder)
{
    const batch_pgsql_values_t values = {(const char *const *)builder->values->elts,
                                         (const int *)builder->lengths->elts,
                                         (const int *)builder->formats->elts};

    return values;
}

/* ---- Conditions --------------------------------------------------------------------------------
 */

int batch_pgsql_add_condition(batch_pgsql_builder_t *builder, const char *word,
                              const char *column_name, const char *value)
{
    const batch_pgsql_column_t *column = batch_pgsql_column(builder->table, column_name);

    batch_pgsql_add_of(builder, word, NULL, column_name);
    batch_pgsql_add(builder, " = ");
    batch_pgsql_add_value(builder, column->type, value);
    return value && batch_pgsql_fits(column, value);
}

void batch_pgsql_add_scope(batch_pgsql_builder_t *builder, const char *word)
{
    const batch_row_fixed_list_t *scoped = &builder->plan->scoped;
    int i;

    for (i = 0; i < scoped->count; i++) {
        (void)batch_pgsql_add_condition(builder, i ? " AND " : word, scoped->list[i].column,
                                        builder->plan->constants[scoped->list[i].constant]);
    }
}

void batch_pgsql_add_where(batch_pgsql_builder_t *builder, batch_item_kind_e kind)
{
    const batch_row_plan_t *plan = builder->plan;
    int matched = kind == BATCH_ITEM_MATCH ? batch_match_count(plan->resource) : 0;
    int i;

    for (i = 0; i < matched; i++) {
        const char *name = batch_match_name(plan->resource, i);

        batch_pgsql_add_of(builder, i ? " AND " : " WHERE ", NULL, name);
        batch_pgsql_add(builder, " = ");
        batch_pgsql_add(builder,
                        batch_pgsql_item_stored(builder, batch_row_plan_place(plan, name, -1)));
    }
    if (!matched) {
        batch_pgsql_add_of(builder, " WHERE ", NULL, plan->resource->key);
        batch_pgsql_add(builder, " = batch_item.k");
    }
    batch_pgsql_add_scope(builder, " AND ");
}

void batch_pgsql_add_stamps(batch_pgsql_builder_t *builder)
{
    const batch_row_fixed_list_t *changed = &builder->plan->changed;
    int i;

    for (i = 0; i < changed->count; i++) {
        batch_pgsql_add_next(builder, " SET ", changed->list[i].column);
        batch_pgsql_add(builder, " = ");
        batch_pgsql_add_fixed(builder, &changed->list[i]);
    }
}

/* ---- Items -------------------------------------------------------------------------------------
 */

const char *batch_pgsql_column_text(const batch_column_t *declared,
                                    const batch_pgsql_column_t *column, const char *value)
{
    if (!value || !declared) {
        return value;
    }
    switch (batch_type_stored(declared->type)) {
    case BATCH_STORED_BOOLEAN:
        if (column->is_number) {
            return !strcmp(value, "true") || !strcmp(value, "1") ? "1" : "0";
        }
        break;
    case BATCH_STORED_TEXT:
    case BATCH_STORED_INTEGER:
    case BATCH_STORED_DOUBLE:
    case BATCH_STORED_UUID:
    case BATCH_STORED_DECIMAL:
        break; /* the server reads its text */
    }
    return value;
}

static const char **make_texts(const batch_pgsql_builder_t *builder, int count)
{
    return apr_palloc(builder->p, (apr_size_t)(unsigned)(count + 1) * sizeof(const char *));
}

void batch_pgsql_items_start(batch_pgsql_builder_t *builder, const char *word,
                             const batch_pgsql_column_t *key, const char *const *texts, int count)
{
    batch_pgsql_add(builder, word);
    batch_pgsql_add(builder, "unnest((SELECT ");
    if (texts) {
        batch_pgsql_add_array(builder, key, texts, count);
    } else {
        batch_pgsql_add_value(builder, key->array, NULL);
    }
}

const char *const *batch_pgsql_items_keys(const batch_pgsql_builder_t *builder,
                                          const batch_pgsql_members_t *members, int has_key)
{
    const char **texts = make_texts(builder, members->count);
    int m;

    for (m = 0; m < members->count; m++) {
        texts[m] = has_key ? members->items[members->numbers[m]].key : NULL;
    }
    return texts;
}

/* The item's value of that name, where it is mostly at the place where the one before had it. */
static const batch_value_t *find_value(int *guess, const batch_item_t *item, const char *name)
{
    int i;

    for (i = 0; i < item->value_count; i++) {
        int at = (*guess + i) % item->value_count;

        if (!strcmp(item->values[at].name, name)) {
            *guess = at;
            return &item->values[at];
        }
    }
    return NULL;
}

static void name_column(batch_pgsql_builder_t *builder, const char *letter, int place)
{
    APR_ARRAY_PUSH(builder->names, const char *) =
        apr_psprintf(builder->p, ", %s%d", letter, place);
}

/* The resource's column at that place, as it is in the table. */
static const batch_pgsql_column_t *column_at(const batch_pgsql_builder_t *builder, int place)
{
    return batch_pgsql_column(builder->table, batch_row_plan_column(builder->plan, place)->name);
}

const char *const *batch_pgsql_items_texts(const batch_pgsql_builder_t *builder,
                                           const batch_pgsql_members_t *members, int place)
{
    const batch_column_t *declared = batch_row_plan_column(builder->plan, place);
    const batch_pgsql_column_t *column = column_at(builder, place);
    const char **texts = make_texts(builder, members->count);
    int guess = place;
    int m;

    for (m = 0; m < members->count; m++) {
        const batch_value_t *value =
            find_value(&guess, &members->items[members->numbers[m]], declared->name);

        texts[m] = value ? batch_pgsql_column_text(declared, column, value->value) : NULL;
    }
    return texts;
}

void batch_pgsql_items_values(batch_pgsql_builder_t *builder, const batch_pgsql_members_t *members,
                              int place)
{
    const char *const *texts = batch_pgsql_items_texts(builder, members, place);

    batch_pgsql_add(builder, "), (SELECT ");
    batch_pgsql_add_array(builder, column_at(builder, place), texts, members->count);
    name_column(builder, "c", place);
}

void batch_pgsql_items_presence(batch_pgsql_builder_t *builder,
                                const batch_pgsql_members_t *members, int place)
{
    const char *name = batch_row_plan_column(builder->plan, place)->name;
    const char **texts = make_texts(builder, members->count);
    int guess = place;
    int m;

    for (m = 0; m < members->count; m++) {
        texts[m] = find_value(&guess, &members->items[members->numbers[m]], name) ? "t" : "f";
    }
    batch_pgsql_add(builder, "), (SELECT ");
    batch_pgsql_add_value(builder, ARRAY_BOOLEAN,
                          batch_pgsql_array(texts, members->count, builder->p));
    name_column(builder, "h", place);
}

void batch_pgsql_items_end(batch_pgsql_builder_t *builder)
{
    batch_pgsql_add(builder, ")) WITH ORDINALITY AS batch_item (k");
    apr_array_cat(builder->pieces, builder->names);
    batch_pgsql_add(builder, ", number)");
}

const char *batch_pgsql_item_sent(const batch_pgsql_builder_t *builder, int place)
{
    return apr_psprintf(builder->p, "batch_item.c%d", place);
}

const char *batch_pgsql_item_stored(const batch_pgsql_builder_t *builder, int place)
{
    return batch_pgsql_stored(column_at(builder, place), batch_pgsql_item_sent(builder, place),
                              builder->p);
}

batch_pgsql_statement_t *batch_pgsql_built(batch_connection_t *connection,
                                           const batch_pgsql_builder_t *builder)
{
    return batch_pgsql_statement(connection, apr_array_pstrcat(builder->p, builder->pieces, 0),
                                 (const Oid *)builder->types->elts, builder->types->nelts);
}
