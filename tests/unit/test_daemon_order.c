/* The graph of who is after whom: waves respect every edge, cycles are found and written out, and
 * nothing else is held up by them. Checked on thousands of random graphs against slow answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "daemon/order.h"

#define ROUNDS 3000
#define NODES_MAX 14

static unsigned roll(uint64_t *state, unsigned sides)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (unsigned) (*state >> 11) % sides;
}

static void edge(struct order *o, const char *name, const char *before)
{
	struct order_node *n = order_add(o, name), *b = order_add(o, before);

	assert_non_null(n);
	assert_non_null(b);
	assert_int_equal(order_edge(n, b), 0);
}

static void test_waves(void **state)
{
	struct order o = {};

	(void) state;
	edge(&o, "web", "db");
	edge(&o, "web", "cache");
	edge(&o, "cache", "db");
	edge(&o, "web", "db"); /* said twice */
	assert_non_null(order_add(&o, "alone"));
	assert_int_equal(order_sort(&o), 0);
	assert_int_equal(order_find(&o, "db")->wave, 0);
	assert_int_equal(order_find(&o, "alone")->wave, 0);
	assert_int_equal(order_find(&o, "cache")->wave, 1);
	assert_int_equal(order_find(&o, "web")->wave, 2);
	assert_int_equal(order_find(&o, "web")->before.count, 2);
	assert_int_equal(order_find(&o, "db")->next.count, 2);
	assert_null(order_find(&o, "nobody"));
	order_done(&o);
}

static void test_a_cycle_is_written_from_its_smallest_name(void **state)
{
	struct order o = {};

	(void) state;
	edge(&o, "c", "a");
	edge(&o, "b", "c");
	edge(&o, "a", "b");
	edge(&o, "behind", "b");
	edge(&o, "a", "free");
	assert_int_equal(order_sort(&o), 4);
	assert_string_equal(order_find(&o, "a")->cycle, "a after b after c after a");
	assert_string_equal(order_find(&o, "b")->cycle, "a after b after c after a");
	assert_string_equal(order_find(&o, "c")->cycle, "a after b after c after a");
	assert_null(order_find(&o, "behind")->cycle);
	assert_int_equal(order_find(&o, "behind")->wave, ORDER_NEVER);
	assert_int_equal(order_find(&o, "free")->wave, 0);
	order_done(&o);
}

static void test_a_node_after_itself(void **state)
{
	struct order o = {};

	(void) state;
	edge(&o, "a", "a");
	assert_int_equal(order_sort(&o), 1);
	assert_string_equal(order_find(&o, "a")->cycle, "a after a");
	order_done(&o);
}

static void test_nothing(void **state)
{
	struct order o = {};

	(void) state;
	assert_int_equal(order_sort(&o), 0);
	order_done(&o);
}

/* A chain of thousands: nothing recurses. */
static void test_a_long_chain(void **state)
{
	struct order o = {};
	char name[16], before[16];

	(void) state;
	for (unsigned i = 1; i < 20000; i++) {
		(void) snprintf(name, sizeof(name), "n%u", i);
		(void) snprintf(before, sizeof(before), "n%u", i - 1);
		edge(&o, name, before);
	}
	assert_int_equal(order_sort(&o), 0);
	assert_int_equal(order_find(&o, "n19999")->wave, 19999);
	edge(&o, "n0", "n19999");
	assert_int_equal(order_sort(&o), 20000);
	assert_non_null(strstr(order_find(&o, "n777")->cycle, "n777 after n776"));
	order_done(&o);
}

/* --- random graphs --- */

struct truth {
	size_t n;
	bool after[NODES_MAX][NODES_MAX]; /* also by way of others */
};

static void close_over(struct truth *t)
{
	for (size_t k = 0; k < t->n; k++)
		for (size_t i = 0; i < t->n; i++)
			for (size_t j = 0; j < t->n; j++)
				t->after[i][j] |= t->after[i][k] && t->after[k][j];
}

static void make_graph(uint64_t *dice, struct order *o, struct truth *t)
{
	char name[24];

	*t = (struct truth){ .n = 1 + roll(dice, NODES_MAX) };
	for (size_t i = 0; i < t->n; i++) {
		(void) snprintf(name, sizeof(name), "n%zu", i);
		assert_non_null(order_add(o, name));
	}
	for (unsigned edges = roll(dice, 3 * (unsigned) t->n); edges > 0; edges--) {
		unsigned a = roll(dice, (unsigned) t->n), b = roll(dice, (unsigned) t->n);

		t->after[a][b] = true;
		assert_int_equal(order_edge(o->nodes.items[a], o->nodes.items[b]), 0);
	}
	close_over(t);
}

static bool behind_cycle(const struct truth *t, size_t i)
{
	for (size_t j = 0; j < t->n; j++)
		if (t->after[j][j] && (i == j || t->after[i][j]))
			return true;
	return false;
}

/* Every step of the text is an edge, and it ends where it began. */
static void expect_cycle(const struct order *o, const struct order_node *n)
{
	_cleanup_free_ char *text = strdup(n->cycle);
	const struct order_node *first = NULL, *at = NULL;
	char *rest = text, *word;
	bool found = false;

	for (int i = 0; (word = strsep(&rest, " ")); i++) {
		const struct order_node *next = order_find(o, word);
		bool is_edge = false;

		if (i % 2) {
			assert_string_equal(word, "after");
			continue;
		}
		assert_non_null(next);
		for (size_t k = 0; at && k < at->before.count; k++)
			is_edge |= at->before.items[k] == next;
		assert_true(!at || is_edge);
		first = first ?: next;
		at = next;
		found |= next == n;
	}
	assert_ptr_equal(first, at);
	assert_true(found);
}

static void expect_node(const struct order *o, const struct truth *t, size_t i)
{
	const struct order_node *n = o->nodes.items[i];

	assert_int_equal(n->wave == ORDER_NEVER, behind_cycle(t, i));
	if (n->cycle) {
		assert_true(t->after[i][i]);
		expect_cycle(o, n);
	}
	if (n->wave == ORDER_NEVER)
		return;
	assert_null(n->cycle);
	for (size_t k = 0, last = 0; k < n->before.count; k++) {
		assert_true(n->before.items[k]->wave < n->wave);
		last = n->before.items[k]->wave > last ? n->before.items[k]->wave : last;
		if (k + 1 == n->before.count)
			assert_int_equal(n->wave, last + 1);
	}
	if (n->before.count == 0)
		assert_int_equal(n->wave, 0);
}

/* Whoever has no wave and is on no cycle that was told is behind one that was. */
static void expect_explained(const struct order *o, const struct truth *t, size_t i)
{
	bool explained = o->nodes.items[i]->wave != ORDER_NEVER || o->nodes.items[i]->cycle;

	for (size_t j = 0; j < t->n; j++)
		explained |= t->after[i][j] && o->nodes.items[j]->cycle;
	assert_true(explained);
}

static void test_random_graphs(void **state)
{
	uint64_t dice = 0x5eed;

	(void) state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct order o = {};
		struct truth t;
		int stuck = 0;

		make_graph(&dice, &o, &t);
		for (size_t i = 0; i < t.n; i++)
			stuck += behind_cycle(&t, i);
		assert_int_equal(order_sort(&o), stuck);
		for (size_t i = 0; i < t.n; i++) {
			expect_node(&o, &t, i);
			expect_explained(&o, &t, i);
		}
		order_done(&o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waves),
		cmocka_unit_test(test_a_cycle_is_written_from_its_smallest_name),
		cmocka_unit_test(test_a_node_after_itself),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_a_long_chain),
		cmocka_unit_test(test_random_graphs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
