/* SELECTs, what they select from, and set operations, as SQL. */
#include "query/compile.h"

#include <string.h>

#include <apr_strings.h>

/* ---- What is selected from ------------------------------------------------------------------- */

static void compile_source(batch_compiler_t *compiler, const batch_source_t *source);

/*
 * A SELECT in FROM gets an OFFSET. Without one SQLite would put the expressions of it wherever the
 * outer query uses their names: v + v over v + v over …, ten SELECTs deep, are a thousand copies,
 * made while it prepares, when neither clock nor memory is looked at.
 */
static void derived(batch_compiler_t *compiler, const batch_source_t *source)
{
    batch_compile_enter(compiler, BATCH_STACK_SELECT, source->at);
    batch_emit(compiler, "(");
    batch_compile_select(compiler, source->select, BATCH_NEED_ALL, BATCH_MOST_KEPT);
    batch_emit(compiler, ")");
    batch_compile_leave(compiler, BATCH_STACK_SELECT);
}

static void join(batch_compiler_t *compiler, const batch_source_t *source)
{
    static const char *const words[] = {" JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN "};
    int nested = source->right->type == BATCH_SOURCE_JOIN;

    compile_source(compiler, source->left);
    batch_emit(compiler, words[source->join]);
    batch_compile_enter(compiler, BATCH_STACK_JOIN, source->at);
    batch_emit(compiler, nested ? "(" : "");
    compile_source(compiler, source->right);
    batch_emit(compiler, nested ? ")" : "");
    if (source->on) {
        batch_emit(compiler, " ON ");
        batch_compile_node(compiler, source->on, BATCH_USE_TRUTH);
    }
    batch_compile_leave(compiler, BATCH_STACK_JOIN);
}

static void compile_source(batch_compiler_t *compiler, const batch_source_t *source)
{
    switch (source->type) {
    case BATCH_SOURCE_JOIN:
        join(compiler, source);
        return;
    case BATCH_SOURCE_FORM:
        batch_emit_number(compiler, "t", compiler->tables->tables[source->number]);
        break;
    default:
        if (source->with >= 0) {
            compiler->used[source->with] = 1;
            batch_emit_number(compiler, "c", source->with);
        } else {
            derived(compiler, source);
        }
        break;
    }
    batch_emit_number(compiler, " AS s", source->number);
}

/* ---- One SELECT ------------------------------------------------------------------------------ */

/* It has one row, whatever it selects from. */
static int is_total(const batch_select_t *select)
{
    return select->is_grouped && !select->groups->nelts;
}

/*
 * All rows are one group for SQLite only if it sees an aggregate in what is selected, not if there
 * is one in HAVING or ORDER BY.
 */
static void output(batch_compiler_t *compiler, const batch_select_t *select,
                   const batch_output_t *output)
{
    if (!is_total(select) || (!select->having && !select->order->nelts)) {
        batch_compile_node(compiler, output->node, BATCH_USE_VALUE);
        return;
    }
    batch_emit(compiler, "(CASE WHEN count(*) >= 0 THEN ");
    batch_compile_enter(compiler, BATCH_STACK_CASE, output->at);
    batch_compile_node(compiler, output->node, BATCH_USE_VALUE);
    batch_compile_leave(compiler, BATCH_STACK_CASE);
    batch_emit(compiler, " END)");
}

static void outputs(batch_compiler_t *compiler, const batch_select_t *select, batch_need_e need)
{
    int i;

    if (need == BATCH_NEED_ROWS) {
        batch_emit(compiler, "1 AS o0");
        return;
    }
    if (select->outputs->nelts > BATCH_COMPILE_COLUMNS) {
        batch_query_fault(compiler->text, select->at, "a SELECT can have %d columns only here",
                          BATCH_COMPILE_COLUMNS);
        return;
    }
    for (i = 0; i < select->outputs->nelts; i++) {
        if (need == BATCH_NEED_ID && i != compiler->statement->id) {
            continue;
        }
        batch_emit(compiler, i && need == BATCH_NEED_ALL ? "," : "");
        output(compiler, select, &APR_ARRAY_IDX(select->outputs, i, batch_output_t));
        batch_emit_number(compiler, " AS o", i);
    }
}

static void having(batch_compiler_t *compiler, const batch_select_t *select)
{
    batch_emit(compiler, " HAVING ");
    batch_compile_enter(compiler, BATCH_STACK_OPERAND, select->at);
    batch_compile_node(compiler, select->having, BATCH_USE_TRUTH);
    batch_compile_leave(compiler, BATCH_STACK_OPERAND);
}

/* 1 if the same stands before it: GROUP BY 1, 1, 1 is of one expression, however large. */
static int is_repeated(const apr_array_header_t *groups, int group)
{
    const batch_node_t *const *nodes = (const batch_node_t *const *)groups->elts;
    int i;

    for (i = 0; i < group; i++) {
        if (nodes[i] == nodes[group]) {
            return 1;
        }
    }
    return 0;
}

static void groups(batch_compiler_t *compiler, const batch_select_t *select)
{
    int i;

    if (select->groups->nelts > BATCH_COMPILE_COLUMNS) {
        batch_query_fault(compiler->text, select->at, "GROUP BY can have %d terms only",
                          BATCH_COMPILE_COLUMNS);
    }
    for (i = 0; i < select->groups->nelts; i++) {
        const batch_node_t *group = APR_ARRAY_IDX(select->groups, i, const batch_node_t *);

        if (is_repeated(select->groups, i)) {
            continue;
        }
        batch_emit(compiler, i ? "," : " GROUP BY ");
        switch (batch_compile_term(compiler, group)) {
        case BATCH_TERM_OWN:
            batch_compile_node(compiler, group, BATCH_USE_VALUE);
            break;
        case BATCH_TERM_CONSTANT:
            batch_emit(compiler, "NULL"); /* there is one group, if there are rows */
            break;
        default:
            batch_query_fault(compiler->text, group->at,
                              "this is of columns of this SELECT and of one around it, which "
                              "cannot stand behind GROUP BY");
            break;
        }
    }
}

static void core(batch_compiler_t *compiler, const batch_select_t *select, batch_need_e need)
{
    batch_emit(compiler, select->distinct ? "SELECT DISTINCT " : "SELECT ");
    outputs(compiler, select, need);
    if (need == BATCH_NEED_ALL && batch_compile_is_wrapped(compiler, select)) {
        batch_compile_order_columns(compiler, select);
    }
    if (select->from) {
        batch_emit(compiler, " FROM ");
        compile_source(compiler, select->from);
    }
    if (select->where) {
        batch_emit(compiler, " WHERE ");
        batch_compile_node(compiler, select->where, BATCH_USE_TRUTH);
    }
    groups(compiler, select);
    if (select->having) {
        having(compiler, select);
    }
}

/* ---- Set operations -------------------------------------------------------------------------- */

/* o0, o1, … of the select. */
static void names(batch_compiler_t *compiler, const batch_select_t *select)
{
    int i;

    for (i = 0; i < select->outputs->nelts; i++) {
        batch_emit_number(compiler, i ? ",o" : "o", i);
    }
}

/*
 * SQLite knows no precedence of these, and no parentheses: each side is a SELECT from it. ALL of
 * INTERSECT and EXCEPT is made by numbers: the second of three equal rows is another row then.
 */
static void side(batch_compiler_t *compiler, const batch_select_t *select, int numbered)
{
    batch_compile_enter(compiler, BATCH_STACK_SELECT, select->at);
    batch_emit(compiler, "SELECT *");
    if (numbered) {
        batch_emit(compiler, ",row_number() OVER (PARTITION BY ");
        names(compiler, select);
        batch_emit(compiler, ") AS r");
    }
    batch_emit(compiler, " FROM (");
    batch_compile_select(compiler, select, BATCH_NEED_ALL, BATCH_MOST_ALL);
    batch_emit(compiler, ")");
    batch_compile_leave(compiler, BATCH_STACK_SELECT);
}

static int is_numbered(const batch_select_t *select)
{
    return select->all && select->set != BATCH_SET_UNION;
}

/* SQLite has set operations from the left to the right: of these it needs no SELECTs in SELECTs. */
static int goes_on(const batch_select_t *select)
{
    const batch_select_t *left = select->left;

    return left->set && !is_numbered(left) && !is_numbered(select) && !left->order->nelts &&
           left->limit < 0 && !left->offset;
}

/* The sides, the leftmost first. */
static void sides(batch_compiler_t *compiler, const batch_select_t *select)
{
    static const char *const words[] = {"", " UNION ", " INTERSECT ", " EXCEPT "};
    int numbered = is_numbered(select);

    if (goes_on(select)) {
        sides(compiler, select->left);
    } else {
        side(compiler, select->left, numbered);
    }
    batch_emit(compiler, words[select->set]);
    batch_emit(compiler, select->all && !numbered ? "ALL " : "");
    side(compiler, select->right, numbered);
}

static void set(batch_compiler_t *compiler, const batch_select_t *select)
{
    batch_emit(compiler, "SELECT ");
    names(compiler, select);
    batch_emit(compiler, " FROM (");
    batch_compile_enter(compiler, BATCH_STACK_CALL, select->at);
    sides(compiler, select);
    batch_compile_leave(compiler, BATCH_STACK_CALL);
    batch_emit(compiler, ")");
}

/* A SELECT from the SELECT, which has what it is ordered by beside its own columns. */
static void wrapped(batch_compiler_t *compiler, const batch_select_t *select)
{
    batch_emit(compiler, "SELECT ");
    names(compiler, select);
    batch_emit(compiler, " FROM (");
    batch_compile_enter(compiler, BATCH_STACK_SELECT, select->at);
    core(compiler, select, BATCH_NEED_ALL);
    batch_compile_leave(compiler, BATCH_STACK_SELECT);
    batch_emit(compiler, ")");
}

/* ---- The whole ------------------------------------------------------------------------------- */

int batch_compile_is_single(const batch_select_t *select)
{
    return (select->limit >= 0 && select->limit < 2) ||
           (!select->set && (is_total(select) || (!select->from && !select->groups->nelts)));
}

void batch_compile_select(batch_compiler_t *compiler, const batch_select_t *select,
                          batch_need_e need, apr_int64_t most)
{
    const batch_select_t *outer = compiler->select;
    apr_uint32_t around = compiler->around;

    if (compiler->text->fault) {
        return;
    }
    if (select->distinct || select->set || is_total(select)) {
        need = BATCH_NEED_ALL;
    }
    if (++compiler->selects > BATCH_COMPILE_SELECTS) {
        batch_query_fault(
            compiler->text, select->at,
            "this SELECT would have to run too often: it stands before ANY or ALL, or in "
            "GROUP BY or ORDER BY of others that do as well");
        return;
    }
    compiler->select = select;
    if (outer) {
        compiler->around |= batch_compile_sources(outer->from);
    }
    if (select->set) {
        set(compiler, select);
    } else if (need == BATCH_NEED_ALL && batch_compile_is_wrapped(compiler, select)) {
        wrapped(compiler, select);
    } else {
        core(compiler, select, need);
    }
    batch_compile_order(compiler, select, need, most);
    compiler->select = outer;
    compiler->around = around;
}

/* What has been emitted so far, and begins anew. */
static const char *take_sql(batch_compiler_t *compiler)
{
    const char *sql = apr_array_pstrcat(compiler->text->p, compiler->pieces, 0);

    apr_array_clear(compiler->pieces);
    return sql;
}

static void compile_with(batch_compiler_t *compiler, int number)
{
    const batch_with_t *with = &APR_ARRAY_IDX(compiler->statement->withs, number, batch_with_t);
    batch_compiled_with_t *made =
        &APR_ARRAY_IDX(compiler->compiled->withs, number, batch_compiled_with_t);

    batch_emit_number(compiler, "CREATE TABLE c", number);
    batch_emit(compiler, " (");
    names(compiler, with->select);
    batch_emit(compiler, ")");
    made->create = take_sql(compiler);
    batch_emit_number(compiler, "INSERT INTO c", number);
    batch_emit(compiler, " ");
    batch_compile_select(compiler, with->select, BATCH_NEED_ALL, BATCH_MOST_ALL);
    made->fill = take_sql(compiler);
}

/*
 * A name of WITH is a table of its own: SQLite would copy its SELECT to each place that names it,
 * and those that this one names to each of them.
 */
static void compile_withs(batch_compiler_t *compiler)
{
    batch_compiled_t *compiled = compiler->compiled;
    int count = compiler->statement->withs->nelts, kept = 0, i;

    for (i = count - 1; i >= 0; i--) { /* each names only those before it */
        if (compiler->used[i]) {
            compile_with(compiler, i);
        }
    }
    for (i = 0; i < count; i++) {
        if (compiler->used[i]) {
            APR_ARRAY_IDX(compiled->withs, kept++, batch_compiled_with_t) =
                APR_ARRAY_IDX(compiled->withs, i, batch_compiled_with_t);
        }
    }
    compiled->withs->nelts = kept;
}

int batch_query_compile(batch_compiled_t *compiled, const batch_statement_t *statement,
                        const batch_compile_tables_t *tables, batch_query_text_t *text)
{
    const batch_select_t *select = statement->select;
    int withs = statement->withs->nelts;
    batch_compiler_t compiler = {.statement = statement,
                                 .tables = tables,
                                 .compiled = compiled,
                                 .text = text,
                                 .pieces = apr_array_make(text->p, 256, sizeof(const char *)),
                                 .used = apr_pcalloc(text->p, (apr_size_t)withs + 1)};

    compiled->constants = apr_array_make(text->p, 16, sizeof(const batch_node_t *));
    compiled->calls = apr_array_make(text->p, 16, sizeof(batch_compiled_call_t));
    compiled->withs = apr_array_make(text->p, withs + 1, sizeof(batch_compiled_with_t));
    compiled->withs->nelts = withs;
    compiled->sets = 0;
    compiled->id = select->distinct || select->set || is_total(select) ? statement->id : 0;
    batch_compile_select(&compiler, select, BATCH_NEED_ID, BATCH_MOST_ALL);
    compiled->sql = take_sql(&compiler);
    compile_withs(&compiler);
    return text->fault == NULL;
}
