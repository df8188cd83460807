file docs/a.md: The first paper is about apples.
file docs/b.md: The second paper is about pears.
ingest docs
remove docs/b.md
run loam ingest --keep-missing docs
expect exit 0
run loam collections --json
expect json /collections/0/documents == 2
