# proves P-TASK-06
file docs/a.md: The mill stands by the river. The river drives the mill wheel. Corn comes to the mill.
file docs/b.md: The school has ten rooms. Each room of the school has a stove. The school bell rings at eight.
run loam summarise docs --baseline-only --sentences 1 --output out.jsonl
expect exit 0
expect err contains 2 of 2 done
file docs/c.md: The bridge is closed. Cars use the old bridge. The new bridge opens in May.
run loam summarise docs --baseline-only --sentences 1 --output out.jsonl
expect exit 0
expect err contains 1 of 3 done, 2 done before
shell wc -l < out.jsonl
expect out contains 3
# Another length is another result.
run loam summarise docs --baseline-only --sentences 2 --output out.jsonl
expect err contains 3 of 3 done
