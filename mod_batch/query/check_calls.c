/* What functions take and give. */
#include "query/check.h"

static int check_round(const batch_checker_t *checker, batch_node_t *node)
{
    node->kind = BATCH_QUERY_NUMBER;
    return batch_check_require(checker, &node->children[0], BATCH_QUERY_NUMBER) &&
           (node->count < 2 ||
            batch_check_require(checker, &node->children[1], BATCH_QUERY_INTEGER));
}

static int check_substr(const batch_checker_t *checker, batch_node_t *node)
{
    int i;

    node->kind = BATCH_QUERY_TEXT;
    for (i = 1; i < node->count; i++) {
        if (!batch_check_require(checker, &node->children[i], BATCH_QUERY_INTEGER)) {
            return 0;
        }
    }
    return batch_check_require(checker, &node->children[0], BATCH_QUERY_TEXT);
}

int batch_check_call(const batch_checker_t *checker, batch_node_t *node)
{
    switch ((batch_function_e)node->op) {
    case BATCH_FUNCTION_NOW:
        node->type = BATCH_NODE_VALUE;
        node->kind = node->value.kind = BATCH_QUERY_TIMESTAMP;
        node->value.integer = checker->now;
        return 1;
    case BATCH_FUNCTION_ABS:
        return batch_check_negate(checker, node);
    case BATCH_FUNCTION_ROUND:
        return check_round(checker, node);
    case BATCH_FUNCTION_COALESCE:
    case BATCH_FUNCTION_NULLIF:
        return batch_check_unify(checker, node, &node->kind);
    case BATCH_FUNCTION_DATE:
        node->kind = BATCH_QUERY_DATE;
        return batch_check_cast(checker, node);
    case BATCH_FUNCTION_LENGTH:
    case BATCH_FUNCTION_CHAR_LENGTH:
        node->kind = BATCH_QUERY_INTEGER;
        return batch_check_require_all(checker, node, BATCH_QUERY_TEXT);
    case BATCH_FUNCTION_SUBSTR:
    case BATCH_FUNCTION_SUBSTRING:
        return check_substr(checker, node);
    default:
        node->kind = BATCH_QUERY_TEXT;
        return batch_check_require_all(checker, node, BATCH_QUERY_TEXT);
    }
}
