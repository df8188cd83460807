file docs/a.md: The first paper is about apples.
file docs/b.md: The second paper is about pears.
file docs/c.md: The third paper is about plums.
run loam ingest --json docs
expect exit 0
expect jsonl count 3
run loam ingest --json docs
expect exit 0
expect jsonl 0 /verdict == "unchanged"
expect jsonl 1 /verdict == "unchanged"
file docs/a.md: The first paper is about quinces now.
rename docs/b.md docs/z.md
remove docs/c.md
run loam ingest --json docs
expect exit 0
expect jsonl some /verdict == "ingested"
expect jsonl some /verdict == "removed"
expect jsonl some /reason matches b.md
search quinces
expect json /hits/0/source matches a.md$
search plums
expect json /hits/0/text lacks "plums"
