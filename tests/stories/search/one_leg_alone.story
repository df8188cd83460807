file a.md: The annual leave is 27 days.
ingest a.md
run loam search --legs bm25 --json zebra
expect exit 1
expect json /hits == []
run loam search --legs bm25 zebra
expect exit 1
expect out contains Nothing found.
run loam search --legs dense --json holiday
expect exit 0
expect json /hits/0/why/bm25 is null
