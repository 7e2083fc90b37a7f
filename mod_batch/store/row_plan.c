#include "store/row_plan.h"

#include <string.h>

/* ---- Words -------------------------------------------------------------------------------------
 */

const char batch_row_unchanged[] =
    "the database has left the row as it is, without an error (a trigger may do so)";
const char batch_row_still_there[] =
    "the row is still there: the database has kept it, without an error (a trigger may do so)";
const char batch_row_left_out[] =
    "the database has left the row out, without an error (a trigger may do so)";
const char batch_row_strayed[] =
    "a trigger has given its row another key, or none: no overwrite could tell the row from those "
    "that it removes";
const char batch_row_alike[] =
    "the database stores its match values in another form, which is that of a row that is there: "
    "send them in that form, or the id";

void batch_rows_refuse(batch_row_outcome_t *outcomes, int count, const char *message,
                       batch_refusal_e refusal)
{
    int i;

    for (i = 0; i < count; i++) {
        outcomes[i].result = BATCH_ROW_REFUSED;
        outcomes[i].message = message;
        outcomes[i].refusal = refusal;
    }
}

/* ---- A call ------------------------------------------------------------------------------------
 */

static void add_fixed(batch_row_fixed_list_t *fixed, const char *column, batch_constant_e constant)
{
    if (column) {
        fixed->list[fixed->count].column = column;
        fixed->list[fixed->count++].constant = constant;
    }
}

static void list_fixed(batch_row_plan_t *plan)
{
    const batch_resource_t *resource = plan->resource;
    const char *form = plan->scope->form_id ? resource->form_column : NULL;

    add_fixed(&plan->scoped, resource->scope, BATCH_CONSTANT_SCOPE);
    add_fixed(&plan->scoped, form, BATCH_CONSTANT_FORM);
    add_fixed(&plan->changed, resource->updated_at, BATCH_CONSTANT_NOW);
    add_fixed(&plan->changed, resource->updated_by_id, BATCH_CONSTANT_ACTOR);
    plan->made = plan->scoped;
    add_fixed(&plan->made, resource->created_at, BATCH_CONSTANT_NOW);
    add_fixed(&plan->made, resource->updated_at, BATCH_CONSTANT_NOW);
    add_fixed(&plan->made, resource->created_by_id, BATCH_CONSTANT_ACTOR);
    add_fixed(&plan->made, resource->updated_by_id, BATCH_CONSTANT_ACTOR);
}

void batch_row_plan_init(batch_row_plan_t *plan, const batch_row_scope_t *scope, const char *now,
                         int ignore_case, apr_pool_t *p)
{
    memset(plan, 0, sizeof(*plan));
    plan->scope = scope;
    plan->resource = scope->resource;
    plan->column_count = scope->resource->columns ? scope->resource->columns->nelts : 0;
    plan->width = plan->column_count / 64 + 1;
    plan->ignore_case = ignore_case;
    plan->constants[BATCH_CONSTANT_SCOPE] = scope->organization;
    plan->constants[BATCH_CONSTANT_FORM] = scope->form_id;
    plan->constants[BATCH_CONSTANT_NOW] = now;
    plan->constants[BATCH_CONSTANT_ACTOR] = scope->actor_id;
    plan->columns = apr_pcalloc(p, (apr_size_t)(unsigned)plan->width * sizeof(*plan->columns));
    plan->p = p;
    list_fixed(plan);
}

/* ---- Columns -----------------------------------------------------------------------------------
 */

const batch_column_t *batch_row_plan_column(const batch_row_plan_t *plan, int i)
{
    return &APR_ARRAY_IDX(plan->resource->columns, i, batch_column_t);
}

int batch_row_plan_place(const batch_row_plan_t *plan, const char *name, int guess)
{
    int i;

    if (guess >= 0 && guess < plan->column_count &&
        !strcmp(batch_row_plan_column(plan, guess)->name, name)) {
        return guess;
    }
    for (i = 0; i < plan->column_count; i++) {
        if (!strcmp(batch_row_plan_column(plan, i)->name, name)) {
            return i;
        }
    }
    return -1;
}

int batch_columns_have(const apr_uint64_t *columns, int i)
{
    return columns[i / 64] >> (i % 64) & 1;
}

int batch_match_count(const batch_resource_t *resource)
{
    return resource->match ? resource->match->nelts : 0;
}

const char *batch_match_name(const batch_resource_t *resource, int i)
{
    return APR_ARRAY_IDX(resource->match, i, const char *);
}

int batch_match_has(const batch_resource_t *resource, const char *name)
{
    int i;

    for (i = 0; i < batch_match_count(resource); i++) {
        if (!strcmp(batch_match_name(resource, i), name)) {
            return 1;
        }
    }
    return 0;
}

/* ---- Items -------------------------------------------------------------------------------------
 */

int batch_item_has_match(const batch_resource_t *resource, const batch_item_t *item)
{
    int i;

    for (i = 0; i < batch_match_count(resource); i++) {
        const batch_value_t *value =
            batch_value_find(item->values, item->value_count, batch_match_name(resource, i));

        if (!value || !value->value) {
            return 0;
        }
    }
    return i > 0;
}

int batch_kind_makes_rows(const batch_resource_t *resource, batch_item_kind_e kind)
{
    return kind != BATCH_ITEM_KEY || resource->keys == BATCH_KEYS_CLIENT;
}

int batch_kind_sets(const batch_resource_t *resource, batch_item_kind_e kind,
                    const batch_column_t *column)
{
    return !column->immutable &&
           !(kind == BATCH_ITEM_MATCH && batch_match_has(resource, column->name));
}

/* Until it is known better the items have the columns in their order, and all of them alike. */
static void make_places(batch_row_plan_t *plan, int count)
{
    int *places;
    int i;

    if (count <= plan->place_count) {
        return;
    }
    places = apr_palloc(plan->p, 2 * (apr_size_t)(unsigned)count * sizeof(*places));
    for (i = 0; i < 2 * count; i++) {
        places[i] = i < plan->place_count ? plan->places[i] : i;
    }
    plan->places = places;
    plan->place_count = 2 * count;
}

void batch_row_plan_take(batch_row_plan_t *plan, const batch_item_t *item)
{
    int i;

    plan->item = item;
    plan->wrong = NULL;
    if (!batch_item_is_live(item) || (item->kind == BATCH_ITEM_KEY && !item->key) ||
        (item->kind == BATCH_ITEM_MATCH && !batch_item_has_match(plan->resource, item))) {
        plan->wrong = "it does not say which row it is of";
    }
    make_places(plan, item->value_count);
    memset(plan->columns, 0, (apr_size_t)(unsigned)plan->width * sizeof(*plan->columns));
    for (i = 0; i < item->value_count; i++) {
        int place = batch_row_plan_place(plan, item->values[i].name, plan->places[i]);

        if (place >= 0 &&
            !batch_resource_writable(plan->resource, batch_row_plan_column(plan, place),
                                     plan->ignore_case)) {
            place = -1;
        }
        plan->places[i] = place;
        if (place < 0) {
            plan->wrong = "it has a column that no batch may write";
        } else {
            plan->columns[place / 64] |= (apr_uint64_t)1 << (place % 64);
        }
    }
}
