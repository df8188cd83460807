file a.md: Words about tea.
ingest a.md
damage-store
run loam search tea
expect exit 2
expect err contains loam.db
expect err lines 1
run loam check
expect exit 2
