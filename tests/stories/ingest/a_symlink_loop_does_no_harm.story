file docs/a.md: The bicycle shed is behind the house.
link docs/loop .
link docs/dangling nowhere.md
run loam ingest docs
expect out contains a.md
run loam ingest --follow-symlinks docs
expect out contains a.md
run loam collections --json
expect json /collections/0/documents == 1
