/* The functions that compiled SQL calls. */
#include "query/sandbox.h"

#include <string.h>

#include "query/sums.h"

/* ---- Values -----------------------------------------------------------------------------------
 */

batch_query_value_t batch_sandbox_value(sqlite3_value *value, batch_query_kind_e kind)
{
    batch_query_value_t result = {.kind = BATCH_QUERY_NULL};
    const void *bytes;

    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        result = batch_query_integer_value(sqlite3_value_int64(value));
        if (kind == BATCH_QUERY_BOOLEAN || kind == BATCH_QUERY_DATE ||
            kind == BATCH_QUERY_TIMESTAMP) {
            result.kind = kind;
        }
        break;
    case SQLITE_FLOAT:
        result = batch_query_number_value(sqlite3_value_double(value));
        break;
    case SQLITE_TEXT:
        bytes = sqlite3_value_text(value);
        if (bytes) {
            result = batch_query_text_value(bytes, (apr_size_t)sqlite3_value_bytes(value));
            result.kind = kind == BATCH_QUERY_DECIMAL ? kind : result.kind;
        }
        break;
    case SQLITE_BLOB:
        bytes = sqlite3_value_blob(value);
        if (bytes) {
            result = batch_query_boolean_value(*(const unsigned char *)bytes);
        }
        break;
    default:
        break;
    }
    return result;
}

int batch_sandbox_bind(sqlite3_stmt *statement, int number, const batch_query_value_t *value,
                       batch_query_kind_e kind)
{
    unsigned char truth = value->integer != 0;

    switch (value->kind) {
    case BATCH_QUERY_BOOLEAN:
        return kind == BATCH_QUERY_MEMBER
                   ? sqlite3_bind_blob(statement, number, &truth, 1, SQLITE_TRANSIENT)
                   : sqlite3_bind_int64(statement, number, truth);
    case BATCH_QUERY_INTEGER:
    case BATCH_QUERY_DATE:
    case BATCH_QUERY_TIMESTAMP:
        return sqlite3_bind_int64(statement, number, value->integer);
    case BATCH_QUERY_NUMBER:
        return sqlite3_bind_double(statement, number, value->number);
    case BATCH_QUERY_TEXT:
    case BATCH_QUERY_DECIMAL:
        return sqlite3_bind_text(statement, number, value->text ? value->text : "",
                                 (int)value->length, SQLITE_TRANSIENT);
    default:
        return sqlite3_bind_null(statement, number);
    }
}

static void answer(sqlite3_context *context, const batch_query_value_t *value,
                   batch_query_kind_e kind)
{
    unsigned char truth = value->integer != 0;

    switch (value->kind) {
    case BATCH_QUERY_BOOLEAN:
        if (kind == BATCH_QUERY_MEMBER) {
            sqlite3_result_blob(context, &truth, 1, SQLITE_TRANSIENT);
        } else {
            sqlite3_result_int64(context, truth);
        }
        break;
    case BATCH_QUERY_INTEGER:
    case BATCH_QUERY_DATE:
    case BATCH_QUERY_TIMESTAMP:
        sqlite3_result_int64(context, value->integer);
        break;
    case BATCH_QUERY_NUMBER:
        sqlite3_result_double(context, value->number);
        break;
    case BATCH_QUERY_TEXT:
    case BATCH_QUERY_DECIMAL:
        sqlite3_result_text(context, value->length ? value->text : "", (int)value->length,
                            SQLITE_TRANSIENT);
        break;
    default:
        sqlite3_result_null(context);
        break;
    }
}

static void fail(sqlite3_context *context, const char *trouble)
{
    batch_sandbox_calls_t *calls = sqlite3_user_data(context);

    calls->trouble = trouble;
    sqlite3_result_error(context, "stopped", -1);
}

/* The room for the next call; what this one computed is void if it was not enough. */
static void end_call(sqlite3_context *context, batch_query_room_t *room)
{
    if (room->over) {
        fail(context, room->stopped != APR_SUCCESS ? NULL : batch_query_excess(room));
    }
    room->used = 0;
    room->over = 0;
    room->why = NULL;
    if (room->dirty) {
        apr_pool_clear(room->p);
        room->dirty = 0;
    }
}

/* ---- Computing ------------------------------------------------------------------------------- */

/* e(K, argument, …) */
static void evaluate(sqlite3_context *context, int count, sqlite3_value **values)
{
    batch_sandbox_calls_t *calls = sqlite3_user_data(context);
    int number = sqlite3_value_int(values[0]), i;
    batch_record_t record = {NULL, NULL, calls->arguments};
    const batch_compiled_call_t *call;
    batch_query_value_t value;

    if (number < 0 || number >= calls->compiled->calls->nelts) {
        sqlite3_result_error(context, "no such call", -1);
        return;
    }
    call = &APR_ARRAY_IDX(calls->compiled->calls, number, batch_compiled_call_t);
    if (call->count != count - 1) {
        sqlite3_result_error(context, "another call", -1);
        return;
    }
    for (i = 0; i < call->count; i++) {
        calls->arguments[i] = batch_sandbox_value(values[i + 1], call->kinds[i]);
    }
    value = batch_query_evaluate(call->node, &record, calls->room);
    if (batch_query_has_text(&value)) {
        (void)batch_query_work(calls->room, value.length / 16); /* to copy it */
    }
    answer(context, &value, call->node->kind);
    end_call(context, calls->room);
}

/* ---- Subqueries as values -------------------------------------------------------------------- */

/* one(value): of one row. */
static void one_step(sqlite3_context *context, int count, sqlite3_value **values)
{
    sqlite3_value **kept = sqlite3_aggregate_context(context, sizeof(sqlite3_value *));

    (void)count;
    if (kept && *kept) {
        fail(context, "has a subquery that gives more than one row where a value stands, expected "
                      "one: use IN, an aggregate as max, or LIMIT 1");
        return;
    }
    if (!kept || !(*kept = sqlite3_value_dup(values[0]))) {
        sqlite3_result_error_nomem(context);
    }
}

static void one_final(sqlite3_context *context)
{
    sqlite3_value **kept = sqlite3_aggregate_context(context, 0);

    if (kept && *kept) {
        sqlite3_result_value(context, *kept);
        sqlite3_value_free(*kept);
        *kept = NULL;
    }
}

/* ---- Sums -------------------------------------------------------------------------------------
 */

static void sum_change(sqlite3_context *context, sqlite3_value *value, int sign)
{
    batch_sum_t *sum = sqlite3_aggregate_context(context, sizeof(*sum));
    batch_query_value_t number = batch_sandbox_value(value, BATCH_QUERY_NUMBER);

    if (sum) {
        batch_sum_add(sum, &number, sign);
    } else {
        sqlite3_result_error_nomem(context);
    }
}

static void sum_step(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    sum_change(context, values[0], 1);
}

static void sum_inverse(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    sum_change(context, values[0], -1);
}

static void sum_value(sqlite3_context *context)
{
    batch_sum_t *sum = sqlite3_aggregate_context(context, 0);
    batch_query_value_t value = {.kind = BATCH_QUERY_NULL};

    if (sum) {
        value = batch_sum_value(sum);
    }
    answer(context, &value, BATCH_QUERY_NUMBER);
}

static void total_value(sqlite3_context *context)
{
    batch_sum_t *sum = sqlite3_aggregate_context(context, 0);
    batch_query_value_t value = batch_query_integer_value(0);

    if (sum && sum->count) {
        value = batch_sum_value(sum);
    }
    answer(context, &value, BATCH_QUERY_NUMBER);
}

static void mean_value(sqlite3_context *context)
{
    batch_sum_t *sum = sqlite3_aggregate_context(context, 0);
    batch_query_value_t value = {.kind = BATCH_QUERY_NULL};

    if (sum) {
        value = batch_sum_mean(sum);
    }
    answer(context, &value, BATCH_QUERY_NUMBER);
}

/* ---- All of them ------------------------------------------------------------------------------
 */

int batch_sandbox_functions(sqlite3 *database, batch_sandbox_calls_t *calls)
{
    static const struct {
        const char *name;
        void (*value)(sqlite3_context *context);
    } sums[] = {{"exact_sum", sum_value}, {"exact_total", total_value}, {"exact_avg", mean_value}};
    int code = sqlite3_create_function_v2(database, "e", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                          calls, evaluate, NULL, NULL, NULL);
    size_t i;

    if (code == SQLITE_OK) {
        code = sqlite3_create_function_v2(database, "one", 1, SQLITE_UTF8, calls, NULL, one_step,
                                          one_final, NULL);
    }
    if (code == SQLITE_OK) {
        code = batch_sandbox_set_functions(database, calls);
    }
    for (i = 0; code == SQLITE_OK && i < sizeof(sums) / sizeof(*sums); i++) {
        code =
            sqlite3_create_window_function(database, sums[i].name, 1, SQLITE_UTF8, calls, sum_step,
                                           sums[i].value, sums[i].value, sum_inverse, NULL);
    }
    return code;
}

int batch_sandbox_may_call(const char *function)
{
    static const char *const names[] = {
        "e",        "one",   "among", "members",     "exact_sum",  "exact_total", "exact_avg",
        "coalesce", "count", "min",   "max",         "row_number", "rank",        "dense_rank",
        "ntile",    "lag",   "lead",  "first_value", "last_value", "nth_value"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (!strcmp(function, names[i])) {
            return 1;
        }
    }
    return 0;
}
