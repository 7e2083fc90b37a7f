/* Queries of several forms: joins, subqueries, groups, windows, set operations, WITH. */
#include "parts.h"

#include <string.h>

#include <apr_strings.h>

#define COUNT(of) ((unsigned)(sizeof(of) / sizeof(*(of))))

/* With so many names of forms and columns, what is made is as small as it can be. */
#define LARGE 12

/* What a SELECT is to give. */
typedef enum {
    SHAPE_ANY,
    SHAPE_SINGLE, /* one row at most */
    SHAPE_PLAIN   /* without ORDER BY and LIMIT: a side of a set operation */
} shape_e;

#define OUTPUTS_MOST 3

typedef struct built {
    const char *ours;
    const char *pgsql;
    name_t outputs[OUTPUTS_MOST];
    int count;
} built_t;

static void build(built_t *built, maker_t *m, const batch_query_kind_e *kinds, shape_e shape,
                  int fuel);

/* ---- FROM ------------------------------------------------------------------------------------ */

typedef struct from {
    const char *ours;
    const char *pgsql;
} from_t;

/* Perhaps other names for the outputs, behind the name that the whole has; "" = the same. */
static const char *renamed(maker_t *m, name_t *outputs, int count)
{
    const char *list = "";
    int i;

    if (!chance(m->choices, 4)) {
        return "";
    }
    for (i = 0; i < count; i++) {
        outputs[i].name = outputs[i].pgsql = SAY("n%d", ++m->aliases);
        list = SAY("%s%s%s", list, i ? ", " : "", outputs[i].name);
    }
    return SAY(" (%s)", list);
}

/* A SELECT in FROM sees what is around the SELECT, not what stands beside it. */
static void derived(from_t *from, maker_t *m, source_t *source, int fuel)
{
    const scope_t *scope = m->scope;
    scope_t around = {.count = 0};
    batch_query_kind_e kinds[OUTPUTS_MOST + 1] = {BATCH_QUERY_TEXT, phrase_kind(m),
                                                  BATCH_QUERY_NULL};
    name_t *outputs = apr_palloc(m->p, sizeof(built_t));
    const char *names_list;
    built_t built;

    around.outer = NULL;
    m->scope = &around;
    build(&built, m, kinds, SHAPE_ANY, fuel);
    m->scope = scope;
    memcpy(outputs, built.outputs, sizeof(built.outputs));
    source->alias = SAY("t%d", ++m->aliases);
    source->table = SAY("q%d", m->aliases);
    source->names = outputs;
    source->count = built.count;
    source->qualified = (int)choose(m->choices, 2);
    names_list = renamed(m, outputs, built.count);
    from->ours = SAY("(%s) %s%s%s", built.ours, choose(m->choices, 2) ? "AS " : "", source->alias,
                     names_list);
    from->pgsql = SAY("(%s) AS %s%s", built.pgsql, source->table, names_list);
}

static void named_select(from_t *from, maker_t *m, source_t *source)
{
    const source_t *with = &m->withs[choose(m->choices, (unsigned)m->with_count)];

    *source = *with;
    source->alias = SAY("t%d", ++m->aliases);
    source->table = SAY("q%d", m->aliases);
    source->qualified = 1;
    from->ours = SAY("%s %s%s", with->alias, choose(m->choices, 2) ? "AS " : "", source->alias);
    from->pgsql = SAY("%s AS %s", with->table, source->table);
}

static void one(from_t *from, maker_t *m, scope_t *scope, int fuel)
{
    source_t *source = &scope->sources[scope->count];
    const char *ours, *pgsql;

    if (m->with_count && chance(m->choices, 2)) {
        named_select(from, m, source);
    } else if (m->depth < DEEPEST && m->aliases <= LARGE && chance(m->choices, 5)) {
        derived(from, m, source, fuel);
    } else {
        select_form(m, source, &ours, &pgsql);
        from->ours = ours;
        from->pgsql = pgsql;
    }
    scope->count++;
}

/* One equality, which is all that FULL JOIN takes in PostgreSQL. */
static phrase_t equality(maker_t *m, scope_t *scope, int right)
{
    batch_query_kind_e kind = phrase_kind(m);
    scope_t side = {.count = right};
    const scope_t *both = m->scope;
    phrase_t sides[2], equal;

    memcpy(side.sources, scope->sources, sizeof(side.sources));
    m->scope = &side;
    sides[0] = phrase_column(m, kind);
    side.sources[0] = scope->sources[right];
    side.count = 1;
    sides[1] = phrase_column(m, kind);
    if (sides[0].constant || sides[1].constant) {
        kind = BATCH_QUERY_TEXT; /* all have one */
        sides[1] = phrase_column(m, kind);
        side.count = right;
        memcpy(side.sources, scope->sources, sizeof(side.sources));
        sides[0] = phrase_column(m, kind);
    }
    m->scope = both;
    kind = phrase_settle(m, sides, 2, kind, 0);
    equal = sides[0];
    equal.state = STATE_TYPED;
    equal.kind = BATCH_QUERY_BOOLEAN;
    equal.level = LEVEL_COMPARE;
    equal.ours = SAY("%s = %s", phrase_in(m, &sides[0], LEVEL_COMPARE + 1),
                     phrase_in(m, &sides[1], LEVEL_COMPARE + 1));
    equal.pgsql =
        SAY("(%s = %s)", phrase_compared(m, &sides[0], kind), phrase_compared(m, &sides[1], kind));
    return equal;
}

/* USING: the name alone means what both sides have. */
static void join_using(from_t *from, maker_t *m, scope_t *scope, const char *join, char kind,
                       const from_t *right)
{
    static const int columns[] = {1, 2, 3, 7, 10};
    const source_t *sides = &scope->sources[scope->count - 2];
    const name_t *column = &names[columns[choose(m->choices, COUNT(columns))]];
    const char *a = SAY("%s.%s", sides[0].table, column->pgsql);
    const char *b = SAY("%s.%s", sides[1].table, column->pgsql);
    name_t *merged = apr_pmemdup(m->p, column, sizeof(*column));
    source_t source = {NULL, 0, NULL, merged, 1};

    merged->pgsql = kind == 'F' ? SAY("COALESCE(%s, %s)", a, b) : kind == 'R' ? b : a;
    scope->sources[scope->count++] = source;
    from->ours = SAY("%s %s %s USING (%s)", from->ours, join, right->ours, column->name);
    from->pgsql = SAY("%s %s %s ON %s = %s", from->pgsql, join, right->pgsql, a, b);
}

/* In a row of several, each column is said with the form's alias. */
static void qualify(scope_t *scope)
{
    int i;

    for (i = 0; i < scope->count; i++) {
        scope->sources[i].qualified = scope->sources[i].alias != NULL;
    }
}

/* The third one has a row at most for each of the others: they would be too many. */
static void join_third(from_t *from, maker_t *m, scope_t *scope)
{
    const char *join = choose(m->choices, 2) ? "LEFT JOIN" : "JOIN", *ours, *pgsql;
    source_t *source = &scope->sources[scope->count];
    phrase_t left;

    left = phrase_column(m, BATCH_QUERY_TEXT);
    select_form(m, source, &ours, &pgsql);
    scope->count++;
    from->ours =
        SAY("%s %s %s ON %s._record_id = %s", from->ours, join, ours, source->alias, left.ours);
    from->pgsql = SAY("%s %s %s ON %s.id = %s", from->pgsql, join, pgsql, source->table,
                      phrase_as(m, &left, BATCH_QUERY_TEXT));
}

static void join(from_t *from, maker_t *m, scope_t *scope, int fuel)
{
    static const char *const joins[] = {"JOIN",       "INNER JOIN", "LEFT JOIN",  "LEFT OUTER JOIN",
                                        "RIGHT JOIN", "FULL JOIN",  "CROSS JOIN", ","};
    const char *join = joins[choose(m->choices, COUNT(joins))];
    int first = scope->count == 1 && scope->sources[0].names == names;
    const scope_t *outer = scope->outer;
    from_t right;
    phrase_t on;

    one(&right, m, scope, fuel - 1);
    qualify(scope);
    if (*join == 'C' || *join == ',') {
        from->ours = SAY("%s %s %s", from->ours, join, right.ours);
        from->pgsql = SAY("%s CROSS JOIN %s", from->pgsql, right.pgsql);
        return;
    }
    if (first && scope->sources[1].names == names && chance(m->choices, 4)) {
        join_using(from, m, scope, join, *join, &right);
        return;
    }
    scope->outer = NULL;
    if (*join == 'F' || m->depth > 1 || choose(m->choices, 3)) {
        on = equality(m, scope, scope->count - 1);
    } else {
        on = part_simple(m, BATCH_QUERY_BOOLEAN, fuel - 1);
    }
    scope->outer = outer;
    from->ours = SAY("%s %s %s ON %s", from->ours, join, right.ours, on.ours);
    from->pgsql = SAY("%s %s %s ON %s", from->pgsql, join, right.pgsql,
                      phrase_as(m, &on, BATCH_QUERY_BOOLEAN));
}

static void make_from(from_t *from, maker_t *m, scope_t *scope, int fuel)
{
    int joins = (int)choose(m->choices, 3), i;

    if (joins && (m->aliases > LARGE || (m->depth > 1 && choose(m->choices, 4)))) {
        joins = 0; /* it may run for each row of the SELECT around it */
    }
    one(from, m, scope, fuel);
    for (i = 0; i < joins; i++) {
        if (scope->count == 1) {
            join(from, m, scope, fuel);
        } else if (strstr(from->ours, " , ") || strstr(from->ours, " USING ")) {
            /*
             * A JOIN behind it does not see what stands before a comma; and what USING has made one
             * would be ambiguous again.
             */
            return;
        } else {
            qualify(scope);
            join_third(from, m, scope);
        }
        qualify(scope);
    }
}

/* ---- SELECT ---------------------------------------------------------------------------------- */

typedef struct clauses {
    const char *where, *groups, *having;                   /* ours */
    const char *pgsql_where, *pgsql_groups, *pgsql_having; /* PostgreSQL's */
} clauses_t;

/*
 * GROUP BY: what the SELECT can use from then on are its keys and some aggregates, which take the
 * place of the columns. Without keys there is one group.
 */
static void group(clauses_t *clauses, maker_t *m, scope_t *grouped, int keys, int fuel)
{
    name_t *made = apr_pcalloc(m->p, 8 * sizeof(*made));
    source_t source = {NULL, 0, NULL, made, 0};
    int i;

    for (i = 0; i < keys; i++) {
        int depth = m->depth;
        phrase_t key;

        m->depth = DEEPEST;
        key = part_output(m, choose(m->choices, 4) ? phrase_kind(m) : BATCH_QUERY_MEMBER, fuel - 1);
        m->depth = depth;
        if (key.constant) {
            key = phrase_column(m, BATCH_QUERY_TEXT);
            key = phrase_cast(m, &key, BATCH_QUERY_TEXT);
        }
        made[i].name = key.level < LEVEL_ATOM ? SAY("(%s)", key.ours) : key.ours;
        made[i].pgsql = part_pgsql(m, &key);
        made[i].kind = key.state == STATE_BARE ? BATCH_QUERY_MEMBER : key.kind;
        clauses->groups = SAY("%s%s%s", clauses->groups, i ? ", " : " GROUP BY ", key.ours);
        clauses->pgsql_groups =
            SAY("%s%s%s", clauses->pgsql_groups, i ? ", " : " GROUP BY ", made[i].pgsql);
    }
    for (; i < keys + 4; i++) {
        part_aggregate(&made[i], m, fuel - 1);
    }
    source.count = i;
    grouped->sources[0] = source;
    grouped->count = 1;
}

static void having(clauses_t *clauses, maker_t *m, int fuel)
{
    phrase_t condition = part_simple(m, BATCH_QUERY_BOOLEAN, fuel);

    clauses->having = SAY(" HAVING %s", condition.ours);
    clauses->pgsql_having = SAY(" HAVING %s", phrase_as(m, &condition, BATCH_QUERY_BOOLEAN));
}

/* Windows are for what is selected: beside the columns. */
static void add_windows(maker_t *m, scope_t *scope, int fuel)
{
    name_t *made = apr_pcalloc(m->p, 2 * sizeof(*made));
    source_t source = {NULL, 0, NULL, made, 2};

    part_window(&made[0], m, fuel);
    part_window(&made[1], m, fuel);
    scope->sources[scope->count++] = source;
}

/* The keys of a total order by what is selected. */
static void order_outputs(tail_t *tail, maker_t *m, const built_t *built, const phrase_t *outputs,
                          const char *table)
{
    int i;

    for (i = 0; i < built->count; i++) {
        phrase_t key = outputs[i];

        key.pgsql = table ? SAY("%s.%s", table, built->outputs[i].pgsql) : key.pgsql;
        tail->ours = SAY("%s%s%d", tail->ours, *tail->ours ? ", " : " ORDER BY ", i + 1);
        tail->order =
            SAY("%s%s, ", tail->order,
                key.state == STATE_BARE ? select_member_keys(m, key.pgsql, "ASC", "LAST")
                                        : SAY("%s NULLS LAST", phrase_compared(m, &key, key.kind)));
    }
}

static void name_outputs(built_t *built, maker_t *m, const phrase_t *outputs, const char **items,
                         const char **pgsql)
{
    int i;

    *items = *pgsql = "";
    for (i = 0; i < built->count; i++) {
        name_t *made = &built->outputs[i];

        made->name = m->depth == 1 && i == 0 && m->is_top ? "id" : SAY("c%d", ++m->aliases);
        made->pgsql = made->name;
        made->kind = outputs[i].state == STATE_BARE ? BATCH_QUERY_MEMBER : outputs[i].kind;
        *items = SAY("%s%s%s AS %s", *items, i ? ", " : "", outputs[i].ours, made->name);
        *pgsql = SAY("%s%s%s AS %s", *pgsql, i ? ", " : "", part_pgsql(m, &outputs[i]), made->name);
    }
}

/* What can be an id: a record's, or another text that is not empty. */
static phrase_t id_output(maker_t *m, int fuel)
{
    phrase_t phrase = part_output(m, BATCH_QUERY_TEXT, choose(m->choices, 3) ? 0 : fuel);

    if (strstr(phrase.ours, "_record_id") && !strpbrk(phrase.ours, " (")) {
        return phrase;
    }
    phrase.ours = SAY("NULLIF(SUBSTR(%s, 1, 40), '')", phrase.ours);
    phrase.pgsql = SAY("NULLIF(substr(%s, 1, 40), '')", phrase.pgsql);
    phrase.level = LEVEL_ATOM;
    return phrase;
}

/* A SELECT without GROUP BY is of one row only if there is an aggregate in it. */
static int has_aggregate(const scope_t *grouped, const phrase_t *outputs, int count)
{
    const source_t *source = &grouped->sources[0];
    int i, j;

    for (i = 0; i < count; i++) {
        for (j = 0; j < source->count; j++) {
            if (strstr(outputs[i].ours, source->names[j].name)) {
                return 1;
            }
        }
    }
    return 0;
}

static void build_select(built_t *built, maker_t *m, const batch_query_kind_e *kinds, shape_e shape,
                         int fuel)
{
    const scope_t *outer = m->scope;
    scope_t scope = {.outer = outer}, grouped = {.outer = NULL};
    clauses_t clauses = {"", "", "", "", "", ""};
    tail_t tail = {"", "", ""};
    phrase_t outputs[OUTPUTS_MOST];
    const char *items, *pgsql, *distinct = "";
    int single = shape == SHAPE_SINGLE && choose(m->choices, 2), is_grouped, i;
    from_t from;

    m->scope = &scope;
    make_from(&from, m, &scope, fuel - 1);
    if (choose(m->choices, 4)) {
        phrase_t condition = phrase_condition(m, fuel);

        clauses.where = SAY(" WHERE %s", condition.ours);
        clauses.pgsql_where = SAY(" WHERE %s", phrase_as(m, &condition, BATCH_QUERY_BOOLEAN));
    }
    scope.outer = NULL; /* no aggregate, and no window, of what is around the SELECT */
    is_grouped = single || chance(m->choices, 4);
    if (is_grouped) {
        group(&clauses, m, &grouped, single ? 0 : 1 + (int)choose(m->choices, 2), fuel);
        m->scope = &grouped;
        if (!single && chance(m->choices, 2)) {
            having(&clauses, m, fuel - 1);
        }
    } else if (chance(m->choices, 5)) {
        add_windows(m, &scope, fuel - 1);
    }
    built->count = 0;
    for (i = 0; kinds[i] != BATCH_QUERY_NULL; i++) {
        int depth = m->depth;

        m->depth = is_grouped || scope.outer == NULL ? DEEPEST : m->depth;
        outputs[i] = depth == 1 && m->is_top && i == 0 ? id_output(m, fuel - 1)
                                                       : part_output(m, kinds[i], fuel - 1);
        m->depth = depth;
        built->count++;
    }
    if (shape != SHAPE_PLAIN && chance(m->choices, 6)) {
        distinct = "DISTINCT ";
    }
    if (single && !has_aggregate(&grouped, outputs, built->count)) {
        clauses.having = clauses.pgsql_having = " HAVING COUNT(*) >= 0";
    }
    name_outputs(built, m, outputs, &items, &pgsql);
    built->ours = SAY("SELECT %s%s FROM %s%s%s%s", distinct, items, from.ours, clauses.where,
                      clauses.groups, clauses.having);
    built->pgsql = SAY("SELECT %s%s FROM %s%s%s%s", distinct, pgsql, from.pgsql,
                       clauses.pgsql_where, clauses.pgsql_groups, clauses.pgsql_having);
    if (shape != SHAPE_PLAIN && (chance(m->choices, 3) || (shape == SHAPE_SINGLE && !single))) {
        const char *table = NULL;
        int depth = m->depth;

        m->depth = DEEPEST;
        if (*distinct) {
            table = SAY("q%d", ++m->aliases);
            built->pgsql = SAY("SELECT * FROM (%s) AS %s", built->pgsql, table);
        } else {
            select_order(&tail, m, 1);
        }
        m->depth = depth;
        order_outputs(&tail, m, built, outputs, table);
        if (shape == SHAPE_SINGLE) {
            tail.ours = SAY("%s LIMIT 1", tail.ours);
            tail.limit = " LIMIT 1";
        } else {
            select_limit(&tail, m);
        }
        built->ours = SAY("%s%s", built->ours, tail.ours);
        built->pgsql = SAY("%s%s%s", built->pgsql, part_order(m, tail.order), tail.limit);
    }
    m->scope = outer;
}

/* Several without parentheses, which both languages join in the same way, or do not. */
static void build_set(built_t *built, maker_t *m, const batch_query_kind_e *kinds, int fuel)
{
    static const char *const ops[] = {"UNION",  "UNION ALL",  "INTERSECT", "INTERSECT ALL",
                                      "EXCEPT", "EXCEPT ALL", "UNION",     "INTERSECT"};
    int count = m->aliases > LARGE ? 2 : 2 + (int)choose(m->choices, 3), i;
    tail_t tail = {"", "", ""};
    built_t side;

    build_select(built, m, kinds, SHAPE_PLAIN, fuel - 1);
    for (i = 1; i < count; i++) {
        const char *op = ops[choose(m->choices, COUNT(ops))];
        int nested = m->depth > 1 && chance(m->choices, 6);

        if (nested && m->depth < DEEPEST) {
            m->depth++;
            build_set(&side, m, kinds, fuel - 1);
            m->depth--;
            side.ours = SAY("(%s)", side.ours);
            side.pgsql = SAY("(%s)", side.pgsql);
        } else {
            build_select(&side, m, kinds, SHAPE_PLAIN, fuel - 1);
        }
        built->ours = SAY("%s %s %s", built->ours, op, side.ours);
        built->pgsql = SAY("%s %s %s", built->pgsql, op, side.pgsql);
    }
    if (m->depth == 1 && chance(m->choices, 2)) {
        phrase_t outputs[OUTPUTS_MOST] = {
            {"", "", BATCH_QUERY_TEXT, LEVEL_ATOM, STATE_TYPED, 0, 0}};
        const char *table = SAY("q%d", ++m->aliases);

        if (built->count == 1) {
            outputs[0].kind = built->outputs[0].kind;
            order_outputs(&tail, m, built, outputs, table);
            select_limit(&tail, m);
            built->ours = SAY("%s%s", built->ours, tail.ours);
            built->pgsql = SAY("SELECT * FROM (%s) AS %s%s%s", built->pgsql, table,
                               part_order(m, tail.order), tail.limit);
        }
    }
}

static void build(built_t *built, maker_t *m, const batch_query_kind_e *kinds, shape_e shape,
                  int fuel)
{
    int is_top = m->is_top;

    m->is_top = is_top && m->depth == 0;
    m->depth++;
    if (shape == SHAPE_ANY && m->aliases <= LARGE && chance(m->choices, 5)) {
        build_set(built, m, kinds, fuel);
    } else {
        build_select(built, m, kinds, shape, fuel);
    }
    m->depth--;
    m->is_top = is_top;
}

/* ---- Subqueries in expressions --------------------------------------------------------------- */

static phrase_t truth(const char *ours, const char *pgsql, level_e level)
{
    phrase_t phrase = {ours, pgsql, BATCH_QUERY_BOOLEAN, level, STATE_TYPED, 0, 0};

    return phrase;
}

phrase_t select_condition(maker_t *m, int fuel)
{
    const char *not = chance(m->choices, 3) ? "NOT " : "";
    batch_query_kind_e kinds[2] = {BATCH_QUERY_TEXT, BATCH_QUERY_NULL};
    built_t built;
    phrase_t left;

    if (choose(m->choices, 2)) {
        build(&built, m, kinds, SHAPE_ANY, fuel - 2);
        return truth(SAY("%sEXISTS (%s)", not, built.ours),
                     SAY("(%sEXISTS (%s))", not, built.pgsql), *not ? LEVEL_NOT : LEVEL_ATOM);
    }
    kinds[0] = phrase_kind(m);
    left = part_output(m, kinds[0], fuel - 1);
    build(&built, m, kinds, SHAPE_ANY, fuel - 2);
    return truth(SAY("%s %sIN (%s)", phrase_in(m, &left, LEVEL_LIKE + 1), not, built.ours),
                 SAY("(%s %sIN (%s))", left.pgsql, not, built.pgsql), LEVEL_LIKE);
}

phrase_t select_scalar(maker_t *m, batch_query_kind_e kind, int fuel)
{
    batch_query_kind_e kinds[2] = {kind, BATCH_QUERY_NULL};
    phrase_t phrase = {"", "", kind, LEVEL_ATOM, STATE_TYPED, 0, 0};
    built_t built;

    build(&built, m, kinds, SHAPE_SINGLE, fuel - 2);
    phrase.ours = SAY("(%s)", built.ours);
    phrase.pgsql = SAY("(%s)", built.pgsql);
    return phrase;
}

int select_is_allowed(const maker_t *m)
{
    return m->relational && m->depth < DEEPEST && m->aliases <= LARGE;
}

/* ---- The whole query ------------------------------------------------------------------------- */

static void add_with(maker_t *m, const char **ours, const char **pgsql, int fuel)
{
    batch_query_kind_e kinds[OUTPUTS_MOST + 1] = {BATCH_QUERY_TEXT, phrase_kind(m),
                                                  BATCH_QUERY_NULL};
    name_t *outputs = apr_palloc(m->p, sizeof(built_t));
    source_t *source = &m->withs[m->with_count];
    const char *names_list;
    built_t built;

    m->is_top = 0;
    build(&built, m, kinds, SHAPE_ANY, fuel);
    m->is_top = 1;
    memcpy(outputs, built.outputs, sizeof(built.outputs));
    source->alias = SAY("w%d", ++m->aliases);
    source->table = source->alias;
    source->names = outputs;
    source->count = built.count;
    names_list = renamed(m, outputs, built.count);
    *ours = SAY("%s%s%s%s AS (%s)", *ours, m->with_count ? ", " : "WITH ", source->alias,
                names_list, built.ours);
    *pgsql = SAY("%s%s%s%s AS (%s)", *pgsql, m->with_count ? ", " : "WITH ", source->alias,
                 names_list, built.pgsql);
    m->with_count++;
}

void select_relational(query_t *query, maker_t *m)
{
    batch_query_kind_e kinds[2] = {BATCH_QUERY_TEXT, BATCH_QUERY_NULL};
    scope_t nothing = {.count = 0};
    const char *ours = "", *pgsql = "";
    int fuel = 1 + (int)choose(m->choices, 3);
    int withs = chance(m->choices, 6) ? 1 + (int)choose(m->choices, 2) : 0;
    built_t built;

    m->scope = &nothing;
    m->is_top = 1;
    while (withs--) {
        add_with(m, &ours, &pgsql, fuel);
    }
    build(&built, m, kinds, SHAPE_ANY, fuel);
    query->form_id = forms[0].id;
    query->ours = SAY("%s%s%s", ours, *ours ? " " : "", built.ours);
    query->pgsql = SAY("%s SELECT DISTINCT id COLLATE \"C\" AS id FROM (%s) AS s WHERE id IS NOT "
                       "NULL ORDER BY 1",
                       pgsql, built.pgsql);
}
